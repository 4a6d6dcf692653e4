"""How images are delivered: renditions, how long they take, and what things cost."""

from workbench.delivery.ladder import Ladder, load_ladder, measure_ladder
from workbench.delivery.load_time import load_ms, slowest_downlink_mbps
from workbench.delivery.scenarios import ImageScenario

__all__ = ["ImageScenario", "Ladder", "load_ladder", "load_ms", "measure_ladder", "slowest_downlink_mbps"]
