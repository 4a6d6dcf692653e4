"""What image delivery is judged by: the ladder of renditions, the budget, the price of waiting."""

from __future__ import annotations

import csv
import functools
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from workbench.checked import checked
from workbench.decisions.chances import ChanceSource, ask_distinct, assumed
from workbench.decisions.load_time import BITS_PER_BYTE, longest_rtt_ms, slowest_downlink_mbps
from workbench.errors import WorkbenchError, check_above_0, check_one_of

WIDTHS = {"small": 160, "medium": 320, "large": 640}
WEBP_QUALITY = 75  # the encoder's default, developers.google.com/speed/webp/docs/cwebp (-q)


def photo_as_sent(rendition: str, photo: np.ndarray | None = None, *, widths: Mapping[str, int] = WIDTHS) -> np.ndarray:
    """What users see: a photograph as one rendition of it arrives, at its display size (uint8, shape (height, width,
    3)).

    The default photograph is scikit-learn's ``china.jpg``, which the ladder was measured on. A WorkbenchError where the
    rendition has no width in ``widths`` (pixels).
    """
    check_one_of("rendition", rendition, widths)
    photo = load_photo() if photo is None else photo
    return decode_photo(encode_photo(photo, widths[rendition]), photo.shape[:2])


def load_photo() -> np.ndarray:
    """Scikit-learn's ``china.jpg``: uint8, shape (427, 640, 3)."""
    from sklearn.datasets import load_sample_image

    return load_sample_image("china.jpg")


def encode_photo(photo: np.ndarray, width: int) -> bytes:
    """Scale a photograph (uint8, shape (height, width, 3)) down to a width (Lanczos) and encode it as WebP."""
    original, encoded = Image.fromarray(photo), io.BytesIO()
    height = round(original.height * width / original.width)
    original.resize((width, height), Image.Resampling.LANCZOS).save(encoded, "WEBP", quality=WEBP_QUALITY)
    return encoded.getvalue()


def decode_photo(encoded: bytes, shape: tuple[int, int]) -> np.ndarray:
    """Decode an image and scale it up to its display size, (height, width), as a browser would (here: Lanczos)."""
    height, width = shape
    shown = Image.open(io.BytesIO(encoded)).convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(shown)


TABLE = "ladder.csv"


@checked
@dataclass(frozen=True)
class Ladder:
    """Renditions of one image from the smallest to the largest.

    ``image_bytes`` are those of one encoded image, strictly increasing; ``ssim`` is the colour structural similarity to
    the original pixels at the display size.
    """

    names: tuple[str, ...]
    image_bytes: tuple[float, ...]
    ssim: tuple[float, ...]

    def __post_init__(self) -> None:
        lengths = {len(self.names), len(self.image_bytes), len(self.ssim)}
        if lengths != {len(self.names)} or len(self.names) < 2:
            raise WorkbenchError(
                "A ladder needs two or more renditions, each with bytes and SSIM; "
                f"got {len(self.names)} names, {len(self.image_bytes)} sizes, {len(self.ssim)} SSIM values."
            )
        # Written so that NaN, which is neither above nor below anything, is refused too.
        if not (
            np.isfinite([*self.image_bytes, *self.ssim]).all()
            and self.image_bytes[0] > 0
            and np.all(np.diff(self.image_bytes) > 0)
            and np.all(np.diff(self.ssim) > 0)
        ):
            raise WorkbenchError(
                "A ladder goes from the smallest to the largest rendition, with bytes above 0 and both bytes and "
                f"SSIM increasing; got bytes {self.image_bytes} and SSIM {self.ssim}."
            )

    @property
    def quality(self) -> np.ndarray:
        """Points of quality a rendition, shape (renditions,): 0 for the smallest, 100 for the largest.

        Linear in SSIM between the two ends.
        """
        ssim = np.asarray(self.ssim)
        return 100 * ((ssim - ssim[0]) / (ssim[-1] - ssim[0]))


@functools.cache
def load_ladder() -> Ladder:
    """Read the committed table: scikit-learn's ``china.jpg`` as it is sent, measured anew by the tests.

    Each rendition is scaled down (Lanczos), encoded as WebP, decoded, scaled up again (Lanczos), and compared with the
    original pixels by SSIM over the colour channels (Wang et al. 2004, as in ``skimage.metrics.structural_similarity``
    with its defaults).
    """
    text = resources.files("workbench.decisions.images").joinpath(TABLE).read_text(encoding="utf-8")
    rows: Sequence[dict[str, Any]] = list(csv.DictReader(io.StringIO(text)))
    return Ladder(
        names=tuple(row["rendition"] for row in rows),
        image_bytes=tuple(float(row["bytes"]) for row in rows),
        ssim=tuple(float(row["ssim"]) for row in rows),
    )


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


@checked
@dataclass(frozen=True)
class ImageScenario:
    """What image delivery is judged by.

    ``net = quality - wait_price * excess_wait_ms``, in points of quality: 0 is every image small, 100 is every
    image large and none late. Excess wait is the time beyond the budget, capped at ``longest_wait_ms``; a view that
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
    >>> scenario.wait_price, scenario.longest_wait_ms
    (0.25, 3000.0)
    """

    budget_ms: float = BUDGET_MS
    cancelling_wait_ms: float = CANCELLING_WAIT_MS
    images_per_view: int = IMAGES_PER_VIEW
    connection_rtts: float = CONNECTION_RTTS_COLD
    cap_ms: float | None = None
    ladder: Ladder = field(default_factory=load_ladder, repr=False)

    def __post_init__(self) -> None:
        for name in ("budget_ms", "cancelling_wait_ms", "images_per_view", "connection_rtts"):
            check_above_0(name, getattr(self, name))
        if self.cap_ms is not None:
            check_above_0("cap_ms", self.cap_ms)

    def with_budget(self, budget_ms: float) -> ImageScenario:
        """The same scenario at another budget."""
        return replace(self, budget_ms=budget_ms)

    @property
    def longest_wait_ms(self) -> float:
        """Excess wait at which a view is abandoned: ``cap_ms``, else 2 s, or twice the budget where that is longer."""
        return max(CAP_FLOOR_MS, CAP_BUDGETS * self.budget_ms) if self.cap_ms is None else self.cap_ms

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the renditions, smallest first."""
        return self.ladder.names

    @property
    def quality(self) -> np.ndarray:
        """Points of quality a rendition, shape (renditions,)."""
        return self.ladder.quality

    def prospects(self, source: ChanceSource, context: pd.DataFrame, assume: Mapping[str, float]) -> Prospects:
        """What to expect of each rendition, by a source of chances."""
        return image_prospects(source, context, self, assume)

    def shipped(self, quantities: Sequence[str], assume: Mapping[str, float]) -> dict[str, Any]:
        """The same as numbers, for a site: :class:`workbench.decisions.option_ship.Worth` says what they mean."""
        times = chance_times(self)
        steps = np.diff(times)
        worth = {"quality": self.quality, "price": self.wait_price, "abandons": True}
        worth["weights"] = (np.append(steps, 0) + np.append(0, steps)) / 2  # of the trapezoidal rule
        if {"rtt_ms", "downlink_mbps"} <= set(quantities):
            grids = {"rtt_ms": RTT_GRID_MS, "downlink_mbps": downlink_grid(self, times)}
            mixed = {"times": times, "bits": BITS_PER_BYTE * self.view_bytes, "round_trips": self.connection_rtts}
            return worth | {"asked": grids, "mixed": mixed | {"quantiles": RTT_QUANTILES}}
        return worth | {"asked": dict([_asked(quantities, self, assume, times)])}

    @property
    def wait_price(self) -> float:
        """Points of quality that one millisecond of excess wait costs."""
        return 100 / self.cancelling_wait_ms

    @property
    def view_bytes(self) -> np.ndarray:
        """Bytes of all images of a view, shape (renditions,)."""
        return self.images_per_view * np.asarray(self.ladder.image_bytes)

    def judge(self, load_ms: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What load times are worth; all arrays have shape (rows, renditions).

        Returns the wait beyond the budget (ms), capped; points of quality, 0 where abandoned; and net, quality minus
        the price of waiting.
        """
        excess = np.clip(load_ms - self.budget_ms, 0, self.longest_wait_ms)
        quality = np.where(excess >= self.longest_wait_ms, 0.0, self.ladder.quality)
        return excess, quality, quality - self.wait_price * excess


TIMES = 24  # how many load times P(load > t) is asked at, from the budget to budget + cap
RTT_QUANTILES = 15
GRID_POINTS = 64
RTT_GRID_MS = np.geomspace(1, 10_000, 64)
ROWS_A_BATCH = 4_000


@dataclass(frozen=True)
class Prospects:
    """What to expect of each rendition, a view; each array has shape (rows, renditions).

    ``late`` is the chance of missing the budget, ``abandoned`` that of reaching the cap, ``excess_wait_ms`` the
    expected excess wait.
    """

    late: np.ndarray
    abandoned: np.ndarray
    excess_wait_ms: np.ndarray

    def best(self, scenario: Any, limit: float = 1.0) -> np.ndarray:
        """Number of the rendition with the largest expected value, ties to the smaller; shape (rows,).

        ``quality * P(not abandoned) - limit * wait_price * E[excess wait]``.
        """
        gain = scenario.quality * (1 - self.abandoned)
        return np.argmax(gain - limit * scenario.wait_price * self.excess_wait_ms, axis=1)


def image_prospects(
    source: ChanceSource, context: pd.DataFrame, scenario: Any, assume: Mapping[str, float]
) -> Prospects:
    """Ask a source of chances how long each rendition would take.

    ``P(load > t)`` is asked at 24 geometric times from the budget to budget + cap; the expected excess wait is its
    integral. Where RTT and throughput are both predicted, the chance is averaged over 15 predicted quantiles of the
    RTT, as if the two were independent given the context. A quantity that the source does not predict is the constant
    in ``assume``; a WorkbenchError where it is not there.
    """
    distinct, which = ask_distinct(source, context)
    times = chance_times(scenario)
    beyond = _chance_load_beyond(source, distinct, scenario, assume, times)[which]
    return Prospects(late=beyond[:, 0], abandoned=beyond[:, -1], excess_wait_ms=np.trapezoid(beyond, times, axis=1))


def chance_times(scenario: Any) -> np.ndarray:
    """The load times that chances are asked at, ms: from the budget to where a view is abandoned."""
    return np.geomspace(scenario.budget_ms, scenario.budget_ms + scenario.longest_wait_ms, TIMES)


def downlink_grid(scenario: Any, times: np.ndarray) -> np.ndarray:
    """Throughputs, Mbit/s, that lie close enough to read chances between them, and reach as far as they may matter."""
    lowest = slowest_downlink_mbps(scenario.view_bytes[0], 0, times[-1], 1)
    return np.geomspace(lowest, slowest_downlink_mbps(scenario.view_bytes[-1], 0, 1, 1), GRID_POINTS)


def _asked(
    quantities: Sequence[str], scenario: Any, assume: Mapping[str, float], times: np.ndarray
) -> tuple[str, np.ndarray]:
    """The one quantity that is predicted, and where each rendition takes longer than each time, shape (times,
    renditions); infinite where that is certain.
    """
    view_bytes, rtts = scenario.view_bytes, scenario.connection_rtts
    known = {quantity: value for quantity, value in assume.items() if quantity not in quantities}
    if "downlink_mbps" in quantities:
        return "downlink_mbps", slowest_downlink_mbps(view_bytes, assumed(known, "rtt_ms"), times[:, None], rtts)
    if "rtt_ms" in quantities:
        longest = longest_rtt_ms(view_bytes, assumed(known, "downlink_mbps"), times[:, None], rtts)
        return "rtt_ms", np.where(longest > 0, longest, np.inf)
    raise WorkbenchError(
        "image delivery is decided by rtt_ms or downlink_mbps; only "
        f"{', '.join(quantities)} was measured here, so images cannot be decided on this data."
    )


def _chance_load_beyond(
    source: ChanceSource,
    context: pd.DataFrame,
    scenario: Any,
    assume: Mapping[str, float],
    times: np.ndarray,
) -> np.ndarray:
    """P(load > t), shape (rows, times, renditions)."""
    shape = (len(context), len(times), len(scenario.view_bytes))
    if {"rtt_ms", "downlink_mbps"} <= set(source.quantities):
        return _averaged_over_rtt(source, context, scenario, times)
    quantity, asked = _asked(source.quantities, scenario, assume, times)
    certain = np.isinf(asked.ravel())
    chance = np.ones((len(context), len(certain)))
    chance[:, ~certain] = source.chance_worse(context, quantity, asked.ravel()[~certain])
    return chance.reshape(shape)


def _averaged_over_rtt(source: ChanceSource, context: pd.DataFrame, scenario: Any, times: np.ndarray) -> np.ndarray:
    rtt_ms = _quantiles(source.chance_worse(context, "rtt_ms", RTT_GRID_MS), RTT_GRID_MS)
    grid = downlink_grid(scenario, times)
    chance = source.chance_worse(context, "downlink_mbps", grid)
    batches = [np.empty((0, len(times), len(scenario.view_bytes)))]
    for start in range(0, len(context), ROWS_A_BATCH):
        rows = slice(start, start + ROWS_A_BATCH)
        slowest = slowest_downlink_mbps(
            scenario.view_bytes, rtt_ms[rows, :, None, None], times[:, None], scenario.connection_rtts
        )
        batches.append(_read_rows(grid, chance[rows], slowest).mean(axis=1))
    return np.concatenate(batches)


def _quantiles(chance_above: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Values at the middle of 15 equal shares, from chances of exceeding a grid; shape (rows, 15)."""
    below = np.maximum.accumulate(1 - chance_above, axis=1)
    shares = (np.arange(RTT_QUANTILES) + 0.5) / RTT_QUANTILES
    log_grid = np.log(grid)
    columns = []
    for share in shares:
        right = np.clip((below < share).sum(axis=1), 1, len(grid) - 1)
        row = np.arange(len(below))
        low, high = below[row, right - 1], below[row, right]
        part = np.clip((share - low) / np.maximum(high - low, 1e-12), 0, 1)
        columns.append(log_grid[right - 1] + part * (log_grid[right] - log_grid[right - 1]))
    return np.exp(np.column_stack(columns))


def _read_rows(grid: np.ndarray, chance: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Read each row's chances, known on an evenly geometric grid, at thresholds of its own; 1 where infinite."""
    step = np.log(grid[1] / grid[0])
    position = np.clip(np.log(np.minimum(thresholds, grid[-1]) / grid[0]) / step, 0, len(grid) - 1)
    left = np.minimum(position.astype(np.intp), len(grid) - 2)
    row = np.arange(len(chance)).reshape(-1, *[1] * (thresholds.ndim - 1))
    low, high = chance[row, left], chance[row, left + 1]
    read = low + (position - left) * (high - low)
    return np.where(np.isinf(thresholds), 1.0, read)
