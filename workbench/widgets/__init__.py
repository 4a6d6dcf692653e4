"""Widgets that compare the model with rules: live in JupyterLab, and alone in a rendered page."""

from workbench.widgets.decision_inspector import DecisionInspector
from workbench.widgets.explorer import Explorer

__all__ = ["DecisionInspector", "Explorer"]
