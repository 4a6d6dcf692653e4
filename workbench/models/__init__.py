"""Models: numbers to probabilities, by XGBoost."""

from workbench.models.network_quality import NetworkQuality, train_network_quality

__all__ = ["NetworkQuality", "train_network_quality"]
