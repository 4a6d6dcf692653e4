"""The photograph: how it is sent, and what arrives."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from PIL import Image

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
