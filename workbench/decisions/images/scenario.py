"""What image delivery is judged by: the ladder of renditions, the budget, the price of waiting."""

from __future__ import annotations

import csv
import functools
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from workbench.decisions.chances import ChanceSource
from workbench.decisions.images.expected_value import Prospects, image_prospects
from workbench.errors import WorkbenchError, did_you_mean

WIDTHS = {"small": 160, "medium": 320, "large": 640}
WEBP_QUALITY = 75  # the encoder's default, developers.google.com/speed/webp/docs/cwebp (-q)


def photo_as_sent(rendition: str, photo: np.ndarray | None = None, *, widths: Mapping[str, int] = WIDTHS) -> np.ndarray:
    """What the member sees: a photograph as one rendition of it arrives, at its display size.

    Parameters
    ----------
    rendition : str
    photo : ndarray of uint8, shape (height, width, 3), optional
        Default scikit-learn's ``china.jpg``, which the ladder was measured on.
    widths : mapping
        Rendition name to width in pixels.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)

    Raises
    ------
    WorkbenchError
        Where no width is known for the rendition.
    """
    if rendition not in widths:
        raise WorkbenchError(
            f"rendition must be one of {', '.join(widths)}, whose widths are known; got {rendition!r}."
            f"{did_you_mean(rendition, list(widths))}"
        )
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


@dataclass(frozen=True)
class Ladder:
    """Renditions of one image from the smallest to the largest.

    Parameters
    ----------
    names : tuple of str
        Rendition names, smallest first.
    image_bytes : tuple of float
        Bytes of one encoded image; strictly increasing.
    ssim : tuple of float
        Colour structural similarity to the original pixels, at the display size.
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


def measure_ladder(photo: np.ndarray, widths: Mapping[str, int] = WIDTHS) -> Ladder:
    """Encode a photograph at several widths and measure bytes and likeness.

    Each rendition is scaled down (Lanczos), encoded as WebP, decoded, scaled up to the photograph's size
    (Lanczos), and compared with the original pixels by SSIM over the colour channels (Wang et al. 2004, as in
    ``skimage.metrics.structural_similarity`` with its defaults).

    Parameters
    ----------
    photo : ndarray of uint8, shape (height, width, 3)
    widths : mapping
        Rendition name to width in pixels, smallest first.

    Returns
    -------
    Ladder

    Raises
    ------
    WorkbenchError
        Where scikit-image is not installed (extra ``dev``).
    """
    try:
        from skimage.metrics import structural_similarity
    except ImportError as err:
        raise WorkbenchError(
            "Measuring a ladder needs scikit-image; install the extra: pip install 'performance-workbench[dev]'."
        ) from err
    encoded = [encode_photo(photo, width) for width in widths.values()]
    shown = [decode_photo(each, photo.shape[:2]) for each in encoded]
    likeness = tuple(float(structural_similarity(photo, each, channel_axis=2)) for each in shown)
    return Ladder(tuple(widths), tuple(float(len(each)) for each in encoded), likeness)


@functools.cache
def load_ladder() -> Ladder:
    """Read the committed table: scikit-learn's ``china.jpg`` measured by :func:`measure_ladder`.

    Examples
    --------
    >>> load_ladder().names
    ('small', 'medium', 'large')
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
