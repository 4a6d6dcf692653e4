"""Studies: the only functions that walk the whole path, from a dataset to a finding."""

from workbench.studies.comparison import Comparison, PolicyResult
from workbench.studies.either import study
from workbench.studies.image_delivery import compare_images, study_images
from workbench.studies.prefetch import compare_prefetch, study_prefetch

__all__ = [
    "Comparison",
    "PolicyResult",
    "compare_images",
    "compare_prefetch",
    "study",
    "study_images",
    "study_prefetch",
]
