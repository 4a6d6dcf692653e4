import io
import warnings

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.text import Text

import workbench as wb
from workbench import plotting
from workbench.plotting import fonts
from workbench.plotting.fonts import drawable, fonts_for, make_drawable

OTHER = "STIXGeneral"  # comes with Matplotlib too
ONLY_THERE = sorted(fonts._letters(OTHER) - fonts._letters(fonts.HOUSE))[0]
NAMES = ["/商品/靴", "/カート", "/장바구니", "/购物车", "/سلة", "/🛒", "/plain"]


@pytest.fixture
def only_the_house_font(monkeypatch):
    files = {fonts.HOUSE: fonts._files()[fonts.HOUSE]}
    monkeypatch.setattr(fonts, "_files", lambda: files)
    fonts_for.cache_clear()
    yield
    fonts_for.cache_clear()


def texts_of(figure) -> set[str]:
    figure.draw_without_rendering()
    return {text.get_text() for text in figure.findobj(Text)}


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("plain é ß ж", "plain é ß ж"),
        ("two\nlines", "two\nlines"),
        ("a\u200d\ufe0fb", "ab"),
        ("靴", "U+9774"),
        ("\U0001f6d2", "U+1F6D2"),
        ("a\x1bb", "aU+001Bb"),
    ],
)
def test_what_no_font_has_is_its_code_point(text, drawn):
    assert drawable(text, [fonts.HOUSE]) == drawn


def test_a_font_of_the_machine_is_taken_where_one_has_the_letter(only_the_house_font, monkeypatch):
    assert fonts_for(frozenset(ONLY_THERE)) == ()
    monkeypatch.undo()
    fonts_for.cache_clear()
    found = fonts_for(frozenset(ONLY_THERE + "\U0010fffd"))
    assert len(found) == 1 and ONLY_THERE in fonts._letters(found[0])
    _, ax = plt.subplots()
    ax.set_title(f"{ONLY_THERE} \U0010fffd")
    ax.set_yticks([0, 1], [f"x{ONLY_THERE}", "\U0010fffd"], color="red")
    make_drawable(ax.figure)
    assert {f"{ONLY_THERE} U+10FFFD", f"x{ONLY_THERE}", "U+10FFFD"} <= texts_of(ax.figure)
    assert ax.get_yticklabels()[0].get_color() == "red" and ax.title.get_fontfamily() == [fonts.HOUSE, *found]


@pytest.mark.parametrize("picture", ["measured", "main_flows"])
def test_pictures_of_names_in_any_script_raise_no_warning(only_the_house_font, picture):
    rows = {"session_id": [str(i // 2) for i in range(400)], "page": [NAMES[i % 7] for i in range(400)]}
    given = {
        "main_flows": lambda: wb.navigations(pd.DataFrame(rows)),
        "measured": lambda: wb.measurements(pd.DataFrame({"rtt_ms": range(1, 401)}), name="店の\U0001f6d2"),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = getattr(plotting, picture)(given[picture]())
        ax.figure.savefig(io.BytesIO())
    shown = "".join(texts_of(ax.figure))
    assert set(shown) <= fonts._letters(fonts.HOUSE) | {"\n"} and "U+1F6D2" in shown


def test_a_picture_that_the_house_font_can_write_is_left_alone(monkeypatch):
    monkeypatch.setattr(fonts, "fonts_for", None)
    _, ax = plt.subplots()
    ax.set_title("plain é")
    make_drawable(ax.figure)
    assert ax.title.get_text() == "plain é"
