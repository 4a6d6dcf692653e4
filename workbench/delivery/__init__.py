"""How pages are delivered: renditions, how long they take, and what things cost."""

from workbench.delivery.ladder import Ladder, load_ladder, measure_ladder
from workbench.delivery.load_time import load_ms, longest_rtt_ms, slowest_downlink_mbps
from workbench.delivery.photo import photo_as_sent
from workbench.delivery.prefetch_scenario import PrefetchScenario
from workbench.delivery.scenarios import ImageScenario

__all__ = [
    "ImageScenario",
    "Ladder",
    "PrefetchScenario",
    "load_ladder",
    "load_ms",
    "longest_rtt_ms",
    "measure_ladder",
    "photo_as_sent",
    "slowest_downlink_mbps",
]
