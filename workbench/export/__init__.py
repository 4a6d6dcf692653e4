"""Turn a notebook into one HTML file that needs nothing else: the proposal."""

from workbench.export.notebooks import declared_parameters, find_notebook, parse_parameters, render_notebook
from workbench.export.page import check_page

__all__ = ["check_page", "declared_parameters", "find_notebook", "parse_parameters", "render_notebook"]
