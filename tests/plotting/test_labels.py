"""Labels find places of their own."""

from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from workbench.plotting.labels import Mark, label_marks, merge_marks


@pytest.fixture
def ax():
    figure, ax = plt.subplots(figsize=(8, 5), layout="constrained")
    ax.set(xlim=(0, 100), ylim=(0, 100))
    figure.draw_without_rendering()
    return ax


def test_marks_on_one_another_share_a_label(ax):
    marks = [Mark("a", 10, 10, {"color": "red"}), Mark("b", 50, 50), Mark("c", 10.2, 10.1)]
    assert merge_marks(ax, marks) == [Mark("a\nc", 10, 10, {"color": "red"}), marks[1]]


@pytest.mark.parametrize("seed", range(5))
def test_labels_of_many_marks_lie_apart_and_inside(ax, seed):
    rng = np.random.default_rng(seed)
    marks = merge_marks(ax, [Mark(f"policy number {i}", *rng.normal(60, 12, 2)) for i in range(9)])
    boxes = [label.get_window_extent() for label in label_marks(ax, marks)]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    for box in boxes:
        assert ax.bbox.x0 <= box.x0 <= box.x1 <= ax.bbox.x1
        assert ax.bbox.y0 <= box.y0 <= box.y1 <= ax.bbox.y1
    for mark in marks:
        x, y = ax.transData.transform((mark.x, mark.y))
        assert not any(box.contains(x, y) for box in boxes)


def test_a_label_keeps_off_lines_and_a_leader_goes_to_one_that_moved_away(ax):
    line = np.array([[0, 50], [100, 50]])
    (label,) = label_marks(ax, [Mark("on a line", 20, 50)], [line])
    box, (_, y) = label.get_window_extent(), ax.transData.transform((20, 50))
    assert not box.y0 < y < box.y1
    walls = [np.array([[0, y], [100, y]]) for y in np.arange(46, 55, 1.0)]
    label_marks(ax, [Mark("far", 60, 50)], walls)
    assert [text.get_text() for text in ax.texts] == ["on a line", "far", ""]
