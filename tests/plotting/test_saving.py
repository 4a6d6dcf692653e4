"""Pictures as files: both kinds, the same bytes, nowhere but in their folder."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from PIL import Image

import workbench as wb
from workbench import plotting
from workbench.errors import WorkbenchError
from workbench.plotting import style as saving


@pytest.fixture
def picture():
    return plotting.measured(wb.measurements(pd.DataFrame({"rtt_ms": range(1, 41)}), name="ours"))


def test_a_picture_becomes_two_files_that_carry_its_words(picture, tmp_path):
    png, svg = plotting.save_figure(picture, "image_delivery/v1.2", folder=tmp_path)
    assert [png, svg] == [tmp_path / "image_delivery/v1.2.png", tmp_path / "image_delivery/v1.2.svg"]
    with Image.open(png) as image:
        assert image.info["Description"] == plotting.alt_text(picture)
        assert image.info["dpi"] == pytest.approx((150, 150), abs=0.1)
        assert image.width == pytest.approx(8 * 150, rel=0.05)
    text = svg.read_text()
    assert plotting.alt_text(picture) in text
    assert "dc:date" not in text


def test_the_same_picture_is_the_same_svg(picture, tmp_path):
    first, again = (plotting.save_figure(picture, name, folder=tmp_path)[1] for name in ("first", "again"))
    anew = plotting.measured(wb.measurements(pd.DataFrame({"rtt_ms": range(1, 41)}), name="ours"))
    other = plotting.save_figure(anew.figure, "other", folder=tmp_path)[1]
    assert first.read_bytes() == again.read_bytes() == other.read_bytes()


def test_pictures_go_to_the_figures_of_the_checkout(picture, tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "CHECKOUT", tmp_path)
    assert plotting.save_figure(picture, "a")[0] == tmp_path / "figures" / "a.png"


@pytest.mark.parametrize("name", ["../a", "a/../../b", "/tmp/a", "..\\a", "C:\\a", "", "."])
def test_a_name_that_leads_elsewhere_is_refused(picture, tmp_path, name):
    with pytest.raises(WorkbenchError, match=r"a relative path without '\.\.'"):
        plotting.save_figure(picture, name, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_saving_neither_shows_nor_closes(picture, tmp_path, monkeypatch):
    monkeypatch.setattr(plt, "show", lambda *_, **__: pytest.fail("shown"))
    plotting.save_figure(picture, "a", folder=tmp_path)
    assert plt.get_fignums() == [picture.figure.number]
