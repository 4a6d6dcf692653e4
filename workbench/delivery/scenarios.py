"""What waiting costs: the assumptions of a comparison, in one place, each with its source."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from workbench.delivery.ladder import Ladder, load_ladder
from workbench.errors import WorkbenchError

# Nielsen 1993, Usability Engineering, ch. 5: 1 s is about the limit for the flow of thought to stay unbroken.
BUDGET_MS = 1000.0
# Doherty & Thadani 1982, The Economic Value of Rapid Response Time (IBM): productivity climbs below 400 ms.
CANCELLING_WAIT_MS = 400.0
# A dozen images, the size of a feed or a page of search results. For comparison: the median mobile page weighed
# about 0.9 MB in images (HTTP Archive, Web Almanac 2024, ch. Page Weight); twelve large renditions are 0.6 MB.
IMAGES_PER_VIEW = 12
CONNECTION_RTTS_COLD = 4.0
CAP_FLOOR_MS = 2000.0
CAP_BUDGETS = 2.0
# List price of Amazon CloudFront, first 10 TB a month out to North America and Europe
# (aws.amazon.com/cloudfront/pricing; the copy read bears no date). Above 5 PB it is a quarter of that.
USD_PER_GB = 0.085


@dataclass(frozen=True)
class ImageScenario:
    """What image delivery is judged by.

    ``net = quality - wait_price * excess_wait_ms``, in points of quality: 0 is every image small, 100 is every
    image large and none late. Excess wait is the time beyond the budget, capped at ``cap_ms``; a view that
    reaches the cap is abandoned and its quality is 0.

    Parameters
    ----------
    budget_ms : float
        Time in which the images should be there.
    cancelling_wait_ms : float
        Wait beyond the budget that cancels the gain of the largest image over the smallest.
    images_per_view : int
        Images that one view loads.
    connection_rtts : float
        Round trips before the first byte: 4 on a cold connection, 1 on a warm one.
    cap_ms : float, optional
        Longest excess wait that counts; default ``max(2000, 2 * budget_ms)``.
    ladder : Ladder
        Renditions to choose from.

    Raises
    ------
    WorkbenchError
        Where a number is not finite or not above 0.

    Examples
    --------
    >>> scenario = ImageScenario(budget_ms=1500)
    >>> scenario.wait_price, scenario.cap_ms
    (0.25, 3000.0)
    """

    budget_ms: float = BUDGET_MS
    cancelling_wait_ms: float = CANCELLING_WAIT_MS
    images_per_view: int = IMAGES_PER_VIEW
    connection_rtts: float = CONNECTION_RTTS_COLD
    cap_ms: float = field(default=math.nan)
    ladder: Ladder = field(default_factory=load_ladder, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.cap_ms, float) and math.isnan(self.cap_ms):
            object.__setattr__(self, "cap_ms", default_cap_ms(_number("budget_ms", self.budget_ms)))
        for name in ("budget_ms", "cancelling_wait_ms", "images_per_view", "connection_rtts", "cap_ms"):
            _number(name, getattr(self, name))

    def with_budget(self, budget_ms: float) -> ImageScenario:
        """The same scenario at another budget; a default cap follows the budget, a chosen one stays."""
        chosen = self.cap_ms != default_cap_ms(self.budget_ms)
        return replace(self, budget_ms=budget_ms, cap_ms=self.cap_ms if chosen else math.nan)

    @property
    def wait_price(self) -> float:
        """Points of quality that one millisecond of excess wait costs."""
        return 100 / self.cancelling_wait_ms

    @property
    def view_bytes(self) -> np.ndarray:
        """Bytes of all images of a view, shape (renditions,)."""
        return self.images_per_view * np.asarray(self.ladder.image_bytes)

    def judge(self, load_ms: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What load times are worth.

        Parameters
        ----------
        load_ms : ndarray, shape (rows, renditions)

        Returns
        -------
        excess_wait_ms, quality, net : ndarrays, shape (rows, renditions)
            Wait beyond the budget, capped; points of quality, 0 where abandoned; quality minus the price of waiting.
        """
        excess = np.clip(load_ms - self.budget_ms, 0, self.cap_ms)
        quality = np.where(excess >= self.cap_ms, 0.0, self.ladder.quality)
        return excess, quality, quality - self.wait_price * excess


def default_cap_ms(budget_ms: float) -> float:
    """Longest excess wait that counts: 2 s, or twice the budget where that is longer."""
    return max(CAP_FLOOR_MS, CAP_BUDGETS * budget_ms)


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 < float(value) < math.inf:
        raise WorkbenchError(f"{name} must be a number above 0; got {value!r}.")
    return float(value)
