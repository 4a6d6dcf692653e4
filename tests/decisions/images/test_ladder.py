import io
import math
import sys

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import structural_similarity
from sklearn.datasets import load_sample_image

from workbench.decisions.images.scenario import Ladder, load_ladder, measure_ladder
from workbench.errors import WorkbenchError


@pytest.fixture(scope="module")
def china() -> np.ndarray:
    return load_sample_image("china.jpg")


def test_the_committed_ladder_is_what_the_photograph_gives_within_3_percent(china):
    measured, committed = measure_ladder(china), load_ladder()
    assert measured.names == committed.names == ("small", "medium", "large")
    assert measured.image_bytes == pytest.approx(committed.image_bytes, rel=0.03)
    assert measured.ssim == pytest.approx(committed.ssim, rel=0.03)


def test_the_largest_rendition_is_the_photograph_itself_as_webp(china):
    # 640 pixels are the photograph's own width: no scaling, so the encoder alone tells bytes and likeness.
    encoded = io.BytesIO()
    Image.fromarray(china).save(encoded, "WEBP", quality=75)
    decoded = np.asarray(Image.open(encoded).convert("RGB"))
    assert load_ladder().image_bytes[-1] == pytest.approx(encoded.tell(), rel=0.03)
    assert load_ladder().ssim[-1] == pytest.approx(structural_similarity(china, decoded, channel_axis=2), rel=0.03)


def test_the_renditions_are_worth_0_about_42_and_100_points():
    small, medium, large = load_ladder().quality
    assert (small, large) == (0, 100)
    assert medium == pytest.approx(42, abs=1)


def test_quality_is_linear_in_ssim_between_the_ends():
    ladder = Ladder(("a", "b", "c"), (10, 20, 30), (0.5, 0.6, 0.9))
    assert ladder.quality == pytest.approx([0, 25, 100])


@pytest.mark.parametrize(
    ("names", "sizes", "ssim", "words"),
    [
        ((), (), (), "two or more renditions.* 0 names"),
        (("a",), (1,), (0.5,), "two or more renditions.* 1 names"),
        (("a", "b"), (1, 2, 3), (0.5, 0.6), "got 2 names, 3 sizes, 2 SSIM values"),
        (("a", "b"), (1, 2), (0.5,), "got 2 names, 2 sizes, 1 SSIM values"),
        (("a", "b"), (0, 2), (0.5, 0.6), "bytes above 0"),
        (("a", "b"), (2, 2), (0.5, 0.6), "increasing"),
        (("a", "b"), (3, 2), (0.5, 0.6), "smallest to the largest"),
        (("a", "b"), (1, 2), (0.6, 0.6), "SSIM increasing"),
        (("a", "b"), (1, 2), (0.6, math.nan), "SSIM increasing"),
        (("a", "b"), (math.nan, 2), (0.5, 0.6), "bytes above 0"),
        (("a", "b"), (1, math.inf), (0.5, 0.6), "increasing"),
    ],
)
def test_a_ladder_that_does_not_rise_is_refused(names, sizes, ssim, words):
    with pytest.raises(WorkbenchError, match=words):
        Ladder(names, sizes, ssim)


def test_measuring_without_scikit_image_says_what_to_install(china, monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    with pytest.raises(WorkbenchError, match=r"needs scikit-image; .*performance-workbench\[dev\]"):
        measure_ladder(china)
