"""The ladder of image renditions: measured once from a real photograph, kept as a small table."""

from __future__ import annotations

import csv
import functools
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

from workbench.delivery.photo import WIDTHS, decode_photo, encode_photo
from workbench.errors import WorkbenchError

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
    text = resources.files("workbench.delivery").joinpath(TABLE).read_text(encoding="utf-8")
    rows: Sequence[dict[str, Any]] = list(csv.DictReader(io.StringIO(text)))
    return Ladder(
        names=tuple(row["rendition"] for row in rows),
        image_bytes=tuple(float(row["bytes"]) for row in rows),
        ssim=tuple(float(row["ssim"]) for row in rows),
    )
