import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb
from PIL import Image

import workbench as wb
from workbench import plotting
from workbench.errors import WorkbenchError
from workbench.plotting import style

ROOT = Path(__file__).parents[2]


def test_importing_and_drawing_change_nothing_globally():
    code = (
        "import matplotlib as m, matplotlib.pyplot as p, pandas as pd; before = dict(m.rcParams)\n"
        "import workbench as wb\n"
        "views = wb.measurements(pd.DataFrame({'rtt_ms': range(1, 50)}))\n"
        "wb.plotting.measured(views)\n"
        "print([k for k in before if before[k] != m.rcParams[k]], p.isinteractive())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[] False"


def test_the_style_holds_whatever_was_set_before():
    with plt.rc_context({"font.size": 3, "axes.facecolor": "black"}), plotting.style_context():
        assert plt.rcParams["font.size"] == 12
        assert to_hex(plt.rcParams["axes.facecolor"]) == "#ffffff"


def luminance(colour: str) -> float:
    channels = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]


@pytest.mark.parametrize("colour", [*style.WORDS.values(), style.MUTED])
def test_words_can_be_read_on_white(colour):
    assert 1.05 / (luminance(colour) + 0.05) >= 4.5


def test_a_figure_of_several_pictures_says_all_of_them():
    figure, axes = plt.subplots(2)
    assert plotting.alt_text(figure) == "" and plotting.set_alt_text(axes[0], "First.") is axes[0]
    plotting.set_alt_text(axes[1], "Second.")
    assert plotting.alt_text(figure) == plotting.alt_text(axes[0]) == "First. Second."
    plotting.set_alt_text(axes[0], "Once more.")
    assert plotting.alt_text(figure) == "Once more. Second."


def test_names_from_data_are_not_markup():
    views = wb.measurements(pd.DataFrame({"rtt_ms": range(1, 61), "os_family": ["$x^2$", "a & <b>", "$"] * 20}))
    ax = plotting.measured(views)
    ax.figure.canvas.draw()
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "$x^2$, 33 % of views" in names
    assert not any(text.get_parse_math() for text in ax.get_legend().get_texts())


def test_the_words_reach_the_notebook_as_alternative_text(picture):
    """A notebook keeps the metadata of this bundle; tests/export look for it in a page."""
    data, metadata = picture.figure._repr_mimebundle_(include=None, exclude=None)
    assert data == {} and "40 views" in metadata["image/png"]["alt"] and "20.5" in metadata["image/png"]["alt"]


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
    assert plotting.alt_text(picture) in text and "dc:date" not in text


def test_the_same_picture_is_the_same_svg(picture, tmp_path):
    first, again = (plotting.save_figure(picture, name, folder=tmp_path)[1] for name in ("first", "again"))
    anew = plotting.measured(wb.measurements(pd.DataFrame({"rtt_ms": range(1, 41)}), name="ours"))
    other = plotting.save_figure(anew.figure, "other", folder=tmp_path)[1]
    assert first.read_bytes() == again.read_bytes() == other.read_bytes()


def test_pictures_go_to_the_figures_of_the_checkout(picture, tmp_path, monkeypatch):
    monkeypatch.setattr(style, "CHECKOUT", tmp_path)
    assert plotting.save_figure(picture, "of/a")[0] == tmp_path / "figures" / "of" / "ours" / "a.png"
    other = plotting.measured(wb.measurements(pd.DataFrame({"rtt_ms": range(1, 41)}), name="our shop/../2"))
    assert plotting.save_figure(other, "of/a")[0] == tmp_path / "figures" / "of" / "our-shop-2" / "a.png"
    bare = plotting.save_figure(plt.figure(), "of/a.PNG")
    assert bare == [tmp_path / "figures" / "of" / f"a.{ending}" for ending in ("png", "svg")]


@pytest.mark.parametrize("name", ["a.png", "a.svg", "a.SVG"])
def test_an_ending_is_not_written_twice(picture, tmp_path, name):
    assert plotting.save_figure(picture, name, folder=tmp_path) == [tmp_path / "a.png", tmp_path / "a.svg"]


def test_a_full_disk_leaves_both_older_files(picture, tmp_path, monkeypatch):
    older = {path: path.read_bytes() for path in plotting.save_figure(picture, "a", folder=tmp_path)}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(WorkbenchError, match=r"could not write .*a\.png: No space left on device"):
        plotting.save_figure(plt.figure(), "a", folder=tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == older


@pytest.mark.parametrize("name", ["../a", "a/../../b", "/tmp/a", "..\\a", "C:\\a", "", "."])
def test_a_name_that_leads_elsewhere_is_refused(picture, tmp_path, name):
    with pytest.raises(WorkbenchError, match=r"a relative path without '\.\.'"):
        plotting.save_figure(picture, name, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
