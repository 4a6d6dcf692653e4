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
    known_context,
    label,
)
from workbench.datasets.splits import Split, sample_users, split_by_time, split_by_user
from workbench.datasets.synthetic_network import make_measurements
from workbench.datasets.synthetic_site import make_navigations

__all__ = [
    "LEVELS",
    "Card",
    "Column",
    "Mask",
    "SourceFile",
    "Split",
    "add_history",
    "add_navigation_history",
    "card_folder",
    "fetch_file",
    "find_card",
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
    "split_by_time",
    "split_by_user",
]


class _CallableArea(ModuleType):
    """A package that answers as the function of its name does (Python reference, 3.3.2.1: a module's own class)."""

    def __call__(self) -> pd.DataFrame:
        return list_datasets()


sys.modules[__name__].__class__ = _CallableArea
