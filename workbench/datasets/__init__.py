"""Datasets: cards, files, canonical tables, splits, and the simulated worlds.

The package can be called, since it shares its name with a public verb: ``wb.datasets()`` is :func:`list_datasets`.
"""

import sys
from types import ModuleType

import pandas as pd

from workbench.datasets.cards import Card, find_card, list_datasets
from workbench.datasets.history import Mask
from workbench.datasets.loading import load, measurements, navigations
from workbench.datasets.readers import links_of
from workbench.datasets.schema import known_context, label
from workbench.datasets.splits import Split, split_by_time, split_by_user
from workbench.datasets.synthetic_network import make_measurements
from workbench.datasets.synthetic_site import make_navigations

__all__ = [
    "Card",
    "Mask",
    "Split",
    "find_card",
    "known_context",
    "label",
    "links_of",
    "list_datasets",
    "load",
    "make_measurements",
    "make_navigations",
    "measurements",
    "navigations",
    "split_by_time",
    "split_by_user",
]


class _CallableArea(ModuleType):
    """A package that answers as the function of its name does (Python reference, 3.3.2.1: a module's own class)."""

    def __call__(self) -> pd.DataFrame:
        return list_datasets()


sys.modules[__name__].__class__ = _CallableArea
