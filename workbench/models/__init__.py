"""Models: numbers to probabilities, by XGBoost."""

from workbench.models.boosting import NotFittedError
from workbench.models.network_quality import NetworkQuality, train_network_quality
from workbench.models.next_page import NextPage, train_next_page

__all__ = ["NetworkQuality", "NextPage", "NotFittedError", "train_network_quality", "train_next_page"]
