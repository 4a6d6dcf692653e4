"""Studies: the only functions that walk the whole path, from a dataset to a finding."""

from workbench.studies.comparison import Comparison, PolicyResult
from workbench.studies.study import compare, rules, study

__all__ = ["Comparison", "PolicyResult", "compare", "rules", "study"]
