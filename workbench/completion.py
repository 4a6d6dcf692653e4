"""Names of datasets, completed by the Tab key inside ``wb.load("`` in JupyterLab and IPython."""

from __future__ import annotations

import sys
from typing import Any

# The text before the cursor, up to an open quote that begins the first argument.
ASKS_FOR_A_NAME = r"(?:.*[^\w.])?(?:wb|workbench)\.(?:load|study)\(\s*[\"'][^\"']*$"


def complete_dataset_names(shell: Any = None) -> None:
    """Register the names with a running IPython (default: the one that this code runs in); without one, do nothing."""
    if shell is None and "IPython" in sys.modules:
        shell = sys.modules["IPython"].get_ipython()
    if shell is not None:
        shell.set_hook("complete_command", _names, re_key=ASKS_FOR_A_NAME)


def _names(shell: Any, event: Any) -> list[str]:
    from workbench.datasets import card_folder
    from workbench.errors import WorkbenchError

    try:
        return sorted(path.stem for path in card_folder().glob("*.toml"))
    except WorkbenchError:  # no cards here, and no place for a message either
        return []
