"""Explanation: what drives the model's answers."""

from workbench.explanation.ablation import ablation
from workbench.explanation.base import Unavailable
from workbench.explanation.dependence import dependence
from workbench.explanation.disagreement import disagreement
from workbench.explanation.drift import drift
from workbench.explanation.importance import importance
from workbench.explanation.redundancy import redundancy
from workbench.explanation.retraining import retraining
from workbench.explanation.shap_values import shap_values

__all__ = [
    "Unavailable",
    "ablation",
    "dependence",
    "disagreement",
    "drift",
    "importance",
    "redundancy",
    "retraining",
    "shap_values",
]
