"""Dependence drawn: means with intervals, users below, the planted truth."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from workbench.explanation.feature_dependence import Dependence

from workbench import plotting
from workbench.datasets.cards import Card

LEVELS = ["0 to 5", "6 to 16", "17 to 23", "other", "unknown"]


def result(groups=("",), levels=LEVELS, truth="push", numeric=True, **changes):
    rows = [(group, level) for group in groups for level in levels]
    rng = np.random.default_rng(0)
    push, together = rng.normal(0, 0.3, len(rows)), rng.normal(0, 0.5, len(rows))
    points = pd.DataFrame(rows, columns=["group", "level"]).assign(
        users=rng.integers(20, 4000, len(rows)),
        views=5000,
        push=push,
        push_low=push - 0.05,
        push_high=push + 0.05,
        together=together,
        together_low=together - 0.1,
        together_high=together + 0.1,
        true_push=push + 0.1 if truth == "push" else np.nan,
        true_together=together + 0.1 if truth else np.nan,
    )
    for name, known in (("group", groups), ("level", levels)):
        points[name] = pd.Categorical(points[name], list(known), ordered=True)
    by = "operating system" if len(groups) > 1 else ""
    question = "log-odds that throughput is below 6.9 Mbit/s"
    described = {"feature": "local hour", "by": by, "question": question, "numeric": numeric, "left_out": 34}
    told = {"people": "users", "unit": "", "card": Card("world", simulated=True)}
    return Dependence(points=points, **described | told | changes)


def dots(ax):
    return [line for line in ax.lines if line.get_marker() == "o"]


def test_points_are_means_and_sticks_their_intervals(faults_of):
    told = result()
    ax = plotting.dependence(told)
    assert faults_of(ax.figure) == []
    (points,) = dots(ax)
    assert points.get_ydata().tolist() == told.points["push"].tolist()
    sticks = next(lines for lines in ax.collections if isinstance(lines, LineCollection))
    ends = np.array([path.vertices[:, 1] for path in sticks.get_paths()])
    assert ends == pytest.approx(told.points[["push_low", "push_high"]].to_numpy())
    assert ax.get_xlabel() == "local hour" and "throughput is below" in ax.get_ylabel().replace("\n", " ")


def test_the_users_behind_each_point_stand_below_it():
    told = result()
    ax = plotting.dependence(told)
    numbers = {f"{users:,}" for users in told.points["users"]}
    assert numbers <= {text.get_text() for text in ax.texts}
    heights = np.array([bar.get_height() for bar in ax.patches])
    assert heights == pytest.approx(heights.max() * told.points["users"] / told.points["users"].max())
    lowest = told.points[["push_low", "true_push"]].min(axis=None)
    low, high = ax.get_ylim()
    assert (lowest - low) / (high - low) > heights.max()


def test_the_truth_is_dashed_and_joins_only_what_has_an_order():
    told = result()
    ax = plotting.dependence(told)
    (dashed,) = (line for line in ax.lines if line.get_linestyle() == "--" and len(line.get_xdata()) == 3)
    assert dashed.get_ydata().tolist() == told.points["true_push"].tolist()[:3]
    (bars,) = (line for line in ax.lines if line.get_marker() == "_")
    assert bars.get_ydata().tolist() == told.points["true_push"].tolist()[3:]


def test_where_the_truth_is_of_all_features_the_model_of_all_stands_beside(faults_of):
    told = result(truth="together", numeric=False, levels=["Telecom", "Cable", "a provider with a long name", "other"])
    ax = plotting.dependence(told)
    assert faults_of(ax.figure) == []
    (diamonds,) = (line for line in ax.lines if line.get_marker() == "D")
    assert diamonds.get_ydata().tolist() == told.points["together"].tolist()
    assert any("all features together" in text.get_text().replace("\n", " ") for text in ax.texts)
    assert any("short bars" in text.get_text() for text in ax.texts)


def test_real_data_have_no_dashes(faults_of):
    ax = plotting.dependence(result(truth="", left_out=0, unit="%"))
    assert faults_of(ax.figure) == []
    assert not [line for line in ax.lines if line.get_linestyle() == "--" and np.isfinite(line.get_ydata()).any()]
    assert "truth" not in " ".join(text.get_text() for text in ax.texts)
    assert ax.get_xlabel() == "local hour, %"


def test_groups_have_colours_of_their_own_and_are_named(faults_of):
    told = result(groups=("Android", "Windows", "iOS", "other"), levels=[f"{i} to {i + 3}" for i in range(0, 32, 4)])
    ax = plotting.dependence(told)
    assert faults_of(ax.figure) == []
    assert len({line.get_color() for line in dots(ax)}) == 4
    named = {text.get_text().removeprefix("\u25cf ") for text in ax.texts}
    assert {"Android", "Windows", "iOS", "other"} <= named
    assert ax.get_xlabel() == "local hour, by operating system"
    assert "iOS: most at " in plotting.alt_text(ax)


def test_pictures_go_where_they_are_told():
    _, axes = plt.subplots(2)
    assert plotting.dependence(result(), ax=axes[1]) is axes[1]
    assert not axes[0].lines
