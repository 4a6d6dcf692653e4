"""Explanation: what drives the model's answers."""

from workbench.explanation.shap_by_feature import shap_values

__all__ = ["shap_values"]
