"""Widgets that compare the model with rules: live in JupyterLab, and alone in a rendered page."""

from workbench.widgets.decision_inspector import DecisionInspector
from workbench.widgets.image_explorer import ImageExplorer
from workbench.widgets.prefetch_explorer import PrefetchExplorer

__all__ = ["DecisionInspector", "ImageExplorer", "PrefetchExplorer"]
