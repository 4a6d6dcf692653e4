"""What the tests of pictures share: small findings, and a way to ask whether their words can be read."""

from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

import workbench as wb
from workbench import plotting
from workbench.studies import Comparison


@pytest.fixture(autouse=True)
def figures_closed():
    assert plt.get_fignums() == []
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def views():
    return wb.load("synthetic_measurements", rows=6000)


@pytest.fixture(scope="session")
def planted(studied) -> Comparison:
    return studied("synthetic_measurements", rows=6000)


@pytest.fixture(scope="session")
def real(studied) -> Comparison:
    return studied("mobile_bandwidth")


@pytest.fixture(scope="session")
def site(studied) -> Comparison:
    """Prefetching on a simulated site, with users, times and page sizes."""
    return studied("synthetic_navigations", rows=4000)


@pytest.fixture(scope="session")
def letters(once) -> Comparison:
    """Prefetching on little data of one's own: no users, no times, no context."""
    rng = np.random.default_rng(0)
    sessions = np.repeat(np.arange(250), rng.integers(2, 9, 250))
    page = (np.cumsum(np.where(rng.random(len(sessions)) < 0.7, 1, 3)) % 6).astype(str)
    views = wb.navigations(pd.DataFrame({"session_id": sessions, "page": page}), name="letters")
    return once("letters", lambda: wb.study(views))


@pytest.fixture(scope="session", params=["planted", "real", "site", "letters"])
def result(request) -> Comparison:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def draw():
    """Draw a picture on axes that are given and on its own; return the latter, if its words can be read."""

    def draw_twice(picture, found, **options):
        given, others = Figure().subplots(), plt.get_fignums()
        assert picture(found, ax=given, **options) is given and plt.get_fignums() == others
        ax = picture(found, **options)
        assert unreadable(ax.figure) == [] and any(each.get_title("right") for each in ax.figure.axes)
        assert plotting.alt_text(ax).endswith(".")
        return ax

    return draw_twice


@pytest.fixture(scope="session")
def faults_of():
    return unreadable


def unreadable(figure: Figure) -> list[str]:
    """Say which words in a rendered figure lie on others, or beyond its edge."""
    figure.canvas.draw()
    boxes = {text: text.get_window_extent() for text in words_drawn(figure)}
    cut = [
        f"cut: {text.get_text()!r}"
        for text, box in boxes.items()
        if box.x0 < -1 or box.y0 < -1 or box.x1 > figure.bbox.x1 + 1 or box.y1 > figure.bbox.y1 + 1
    ]
    overlapping = [
        f"{one.get_text()!r} on {other.get_text()!r}"
        for one, other in combinations(boxes, 2)
        if boxes[one].padded(-1).overlaps(boxes[other].padded(-1))
        and not (one.get_rotation() % 90 and other.get_rotation() % 90)  # slanted words lie apart, their boxes do not
    ]
    return cut + overlapping


def words_drawn(figure: Figure) -> list[Text]:
    ticks = [(axis, tick) for ax in figure.axes for axis in (ax.xaxis, ax.yaxis) for tick in axis.get_major_ticks()]
    labels = {label for _, tick in ticks for label in (tick.label1, tick.label2)}
    beyond = set()
    for axis, tick in ticks:
        low, high = sorted(axis.get_view_interval())
        if not low <= tick.get_loc() <= high:
            beyond |= {tick.label1, tick.label2}
    shown = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    return [text for text in shown if text not in labels or text not in beyond]
