"""Studies: the only functions that walk the whole path, from a dataset to a finding."""

from workbench.decisions.decision import PolicyResult
from workbench.studies.comparison import Comparison
from workbench.studies.study import compare, rules, study

__all__ = ["Comparison", "PolicyResult", "compare", "rules", "study"]
