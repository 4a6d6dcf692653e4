"""Explanation: what drives the model's answers."""

from workbench.explanation.base import Unavailable
from workbench.explanation.dependence import dependence
from workbench.explanation.disagreement import disagreement
from workbench.explanation.importance import importance
from workbench.explanation.shap_values import shap_values

__all__ = [
    "Unavailable",
    "dependence",
    "disagreement",
    "importance",
    "shap_values",
]
