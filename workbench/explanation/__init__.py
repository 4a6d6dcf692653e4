"""Explanation: what drives the model's answers."""

from workbench.explanation.archetype import common_context
from workbench.explanation.shap_by_feature import shap_values

__all__ = ["common_context", "shap_values"]
