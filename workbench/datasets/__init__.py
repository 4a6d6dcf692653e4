"""Datasets: cards, files, canonical tables, splits, and the simulated worlds.

The package can be called, since it shares its name with a public verb: ``wb.datasets()`` is :func:`list_datasets`.
"""

import sys
from types import ModuleType

import pandas as pd

from workbench.datasets.cards import Card, SourceFile, card_folder, find_card, list_cards, list_datasets, read_card
from workbench.datasets.columns import LEVELS, Column
from workbench.datasets.download import fetch_file
from workbench.datasets.history import Mask, add_history, add_navigation_history
from workbench.datasets.loading import load, measurements, navigations
from workbench.datasets.readers import links_of
from workbench.datasets.schema import (
    COLUMNS,
    MEASURED,
    NAVIGATION_COLUMNS,
    has_signal,
    known_context,
    label,
    saves_data,
    unit,
)
from workbench.datasets.sessions import dwell_s, has_dwell
from workbench.datasets.splits import Split, sample_users, split_by_time, split_by_user
from workbench.datasets.synthetic_network import make_measurements
from workbench.datasets.synthetic_site import make_navigations

__all__ = [
    "COLUMNS",
    "LEVELS",
    "MEASURED",
    "NAVIGATION_COLUMNS",
    "Card",
    "Column",
    "Mask",
    "SourceFile",
    "Split",
    "add_history",
    "add_navigation_history",
    "card_folder",
    "dwell_s",
    "fetch_file",
    "find_card",
    "has_dwell",
    "has_signal",
    "known_context",
    "label",
    "links_of",
    "list_cards",
    "list_datasets",
    "load",
    "make_measurements",
    "make_navigations",
    "measurements",
    "navigations",
    "read_card",
    "sample_users",
    "saves_data",
    "split_by_time",
    "split_by_user",
    "unit",
]


class _CallableArea(ModuleType):
    """A package that answers as the function of its name does (Python reference, 3.3.2.1: a module's own class)."""

    def __call__(self) -> pd.DataFrame:
        return list_datasets()


sys.modules[__name__].__class__ = _CallableArea
