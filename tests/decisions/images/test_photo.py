import io

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import structural_similarity

from workbench.decisions.images.scenario import WIDTHS, encode_photo, load_ladder, load_photo, photo_as_sent
from workbench.errors import WorkbenchError


@pytest.fixture(scope="module")
def china() -> np.ndarray:
    return load_photo()


@pytest.mark.parametrize("rendition", WIDTHS)
def test_what_is_shown_has_the_display_size_and_the_likeness_of_the_ladder(china, rendition):
    shown = photo_as_sent(rendition)
    assert (shown.shape, shown.dtype) == (china.shape, np.uint8)
    ladder = load_ladder()
    likeness = structural_similarity(china, shown, channel_axis=2)
    assert likeness == pytest.approx(ladder.ssim[ladder.names.index(rendition)], rel=0.03)


@pytest.mark.parametrize("rendition", WIDTHS)
def test_what_travels_is_a_webp_of_the_renditions_width(china, rendition):
    encoded = encode_photo(china, WIDTHS[rendition])
    sent = Image.open(io.BytesIO(encoded))
    assert (sent.format, sent.width) == ("WEBP", WIDTHS[rendition])
    assert sent.height == round(427 * sent.width / 640)
    ladder = load_ladder()
    assert len(encoded) == pytest.approx(ladder.image_bytes[ladder.names.index(rendition)], rel=0.03)


def test_the_widths_are_those_of_the_ladder():
    assert tuple(WIDTHS) == load_ladder().names


def test_ones_own_photograph_at_ones_own_widths():
    photo = np.zeros((30, 40, 3), np.uint8)
    photo[:, 20:] = 255
    shown = photo_as_sent("tiny", photo, widths={"tiny": 4})
    assert shown.shape == photo.shape
    assert shown[:, :5].mean() < 40 and shown[:, -5:].mean() > 215
    assert np.ptp(shown[15, 15:25].astype(int), axis=0).max() < 255, "an edge does not survive four pixels"


def test_an_unknown_rendition_is_refused():
    with pytest.raises(
        WorkbenchError, match=r"one of small, medium, large, whose widths are known; got 'meduim'.*medium"
    ):
        photo_as_sent("meduim")
