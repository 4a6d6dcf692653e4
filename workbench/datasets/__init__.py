"""Datasets: cards, files, canonical tables, splits, and the simulated world."""

from workbench.datasets.cards import Card, SourceFile, card_folder, find_card, list_cards, read_card
from workbench.datasets.download import fetch_file
from workbench.datasets.history import HISTORY, Mask, add_history, has_time
from workbench.datasets.loading import load, measurements
from workbench.datasets.schema import COLUMNS, LEVELS, MEASURED, Column, has_signal, known_context
from workbench.datasets.splits import Split, sample_users, split_by_time, split_by_user
from workbench.datasets.synthetic_network import make_measurements

__all__ = [
    "COLUMNS",
    "HISTORY",
    "LEVELS",
    "MEASURED",
    "Card",
    "Column",
    "Mask",
    "SourceFile",
    "Split",
    "add_history",
    "card_folder",
    "fetch_file",
    "find_card",
    "has_signal",
    "has_time",
    "known_context",
    "list_cards",
    "load",
    "make_measurements",
    "measurements",
    "read_card",
    "sample_users",
    "split_by_time",
    "split_by_user",
]
