"""Explanation: what drives the model's answers."""

from workbench.explanation.archetype import common_context
from workbench.explanation.attempts import attempt
from workbench.explanation.data_checks import drift, redundancy
from workbench.explanation.feature_dependence import dependence
from workbench.explanation.feature_importance import importance
from workbench.explanation.model_vs_rule import disagreement
from workbench.explanation.shap_by_feature import shap_values
from workbench.explanation.tabular_habits import try_habits

__all__ = [
    "attempt",
    "common_context",
    "dependence",
    "disagreement",
    "drift",
    "importance",
    "redundancy",
    "shap_values",
    "try_habits",
]
