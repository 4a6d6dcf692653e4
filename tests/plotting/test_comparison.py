from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color

from workbench import plotting
from workbench.errors import WorkbenchError
from workbench.evidence.bootstrap import Interval
from workbench.evidence.verdict import Differing
from workbench.plotting.comparison import CANNOT_TELL
from workbench.plotting.style import BLUE, GREY, VERMILLION

WHY = "a split by time needs measured_at in every row of the source; take split_by_user instead"
ROWS = [
    ("base", "base case", 3.0, 1.5, 4.5, "better", "", ""),
    ("budget", "0.5 s", 2.0, 0.5, 3.5, "better", "", ""),
    ("budget", "2 s", 0.2, -0.4, 0.8, "equivalent", "", ""),
    ("delay price", "100 ms", -3.0, -5.0, -1.5, "worse", "", ""),
    ("delay price", "1600 ms", 80.0, 60.0, 99.0, "better", "", ""),
    ("split", "by time", np.nan, np.nan, np.nan, "", "", WHY),
    ("seed", "seed 1", 3.1, 1.4, 4.4, "better", "", ""),
]
COLUMNS = ["group", "change", "difference", "low", "high", "verdict", "best_rule", "note"]


def with_changes(result):
    """The same comparison with changed assumptions that are written out, in its own unit."""
    scale = 1 / result.unit.factor
    table = pd.DataFrame(ROWS, columns=COLUMNS)
    table[["difference", "low", "high"]] *= scale
    table["settled_by"] = table["best_rule"]
    base = Interval(3.0 * scale, 1.5 * scale, 4.5 * scale, 400)
    many = Differing(400, 400, 9.0)
    return replace(result, difference=base, differing=many, verdict="better", margin=scale, sensitivity=table)


def numbers(ax) -> list[float]:
    """Estimates to the right of the rows, from the top."""
    spans = [text.get_text() for text in ax.texts if text.get_text()[0] in "+\u2212" and "(" in text.get_text()]
    return [float(span.split(" ")[0].replace("\u2212", "-")) for span in spans]


def row_names(ax) -> list[str]:
    return [label.get_text().replace("\n", " ") for label in ax.get_yticklabels()]


def test_differences_are_in_order_with_their_numbers_and_the_margin(result, draw):
    ax, unit, card = draw(plotting.differences, result), result.unit, result.split.card
    assert ax.get_title("right") == (f"SIMULATED: {card.name}" if card.simulated else card.name)
    estimates = {name: unit.factor * each.estimate for name, each in result.against_best_rule.items()}
    assert row_names(ax)[sorted(estimates.values(), reverse=True).index(estimates["model"])] == "model"
    assert ax.get_xlabel().endswith(unit.per_view)
    dots = [line.get_color() for line in ax.lines if line.get_marker() == "o"]
    if result.verdict == "too few to tell":  # no interval is drawn of it
        (why,) = [text.get_text() for text in ax.texts if text.get_text().endswith(CANNOT_TELL)]
        assert float(why.split(",")[0].replace("\N{MINUS SIGN}", "-")) == pytest.approx(
            estimates.pop("model"), abs=0.051
        )
        assert set(dots) == {GREY}
    else:
        (verdict,) = [text for text in ax.texts if text.get_text().endswith(result.verdict)]
        assert same_color(verdict.get_color(), BLUE), "only the model has a verdict"
        assert [colour for colour in dots if colour != GREY] == [BLUE]
    assert numbers(ax) == pytest.approx(sorted(estimates.values(), reverse=True), abs=0.51 * 10**-unit.digits)
    (band,) = ax.patches
    assert (band.get_x(), band.get_width()) == pytest.approx(np.multiply([-1, 2], unit.factor * result.margin))
    low, high = ax.get_xlim()
    assert low < unit.factor * result.difference.low <= unit.factor * result.difference.high < high
    arrows = {(line.get_marker(), int(line.get_ydata()[0])) for line in ax.lines if line.get_marker() in "<>"}
    rows = sorted(result.against_best_rule.values(), key=lambda each: -each.estimate)
    drawn = [(y, row) for y, row in enumerate(rows) if row_names(ax)[y] != "model" or BLUE in dots]
    beyond = {("<", y) for y, row in drawn if unit.factor * row.low < low}
    assert arrows == beyond | {(">", y) for y, row in drawn if unit.factor * row.high > high}


def test_headroom_is_perfect_knowledge_over_what_needs_none(result, draw):
    ax, unit = draw(plotting.headroom, result), result.unit
    bars = [bar.get_width() for bar in ax.patches]
    assert bars[0] == pytest.approx(unit.factor * result.headroom)
    model, perfect = (result.of(which).outcomes["net"].mean() for which in ("model", "oracle"))
    assert bars[0] - bars[1] == pytest.approx(unit.factor * (perfect - model))
    assert unit.amount(result.headroom) in plotting.alt_text(ax)


def test_reliability_by_tenths(result, draw):
    ax = draw(plotting.reliability, result)
    diagonal, line = ax.lines
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata())
    assert line.get_xydata() == pytest.approx(result.reliability[["chance", "share"]].to_numpy())
    assert result.decision.report.event in ax.get_xlabel() and ax.get_xlim() == ax.get_ylim()


def test_changed_assumptions_are_rows_and_a_flip_is_said(result, draw):
    ax = draw(plotting.sensitivity, with_changes(result))
    groups = ["budget", "0.5 s", "2 s", "delay price", "100 ms", "1600 ms"]
    assert row_names(ax) == ["base case", *groups, "split: by time", "seed: seed 1"]
    said = {text.xy[1]: text.get_text() for text in ax.texts if text.get_text()[0] in "+\u2212"}
    assert said[0].endswith(")  better") and said[2].endswith(")")
    assert said[3].endswith("\u2192 equivalent") and said[5].endswith("\u2192 worse")
    assert numbers(ax) == pytest.approx([3.0, 2.0, 0.2, -3.0, 80.0, 3.1])
    dots = {line.get_ydata()[0]: line.get_color() for line in ax.lines if line.get_marker() == "o"}
    assert dots == {0: BLUE, 2: GREY, 3: VERMILLION, 5: VERMILLION, 8: GREY}, "row 6 lies beyond the axis"
    assert [line.get_ydata()[0] for line in ax.lines if line.get_marker() == ">"] == [6]
    assert ax.get_xlim()[1] < 20, "one row does not flatten the others"
    (why,) = [text for text in ax.texts if text.get_text().startswith("a split by time needs")]
    assert why.get_position()[1] == 7 and why.get_text().endswith(" ...")
    assert "3 of 5" in plotting.alt_text(ax) and "1 could not be tried" in plotting.alt_text(ax)


@pytest.mark.parametrize("result", ["planted", "real", "site"], indirect=True)
@pytest.mark.parametrize("most", [2, 20])
def test_rows_are_the_largest_levels_under_their_dimension(result, most, draw):
    ax, unit = draw(plotting.who_gains, result, most=most), result.unit
    named = result.segments[result.segments["level"] != "other"]
    shown = named[named.groupby("dimension")["users"].rank(ascending=False, method="first") <= most]
    expected = []
    for dimension, levels in shown.groupby("dimension", sort=False):
        expected += [dimension, *(f"{row.level} ({row.users:,})" for row in levels.itertuples())]
    assert row_names(ax) == expected
    assert numbers(ax) == pytest.approx(list(unit.factor * shown["difference"]), abs=0.51 * 10**-unit.digits)
    assert {line.get_color() for line in ax.lines if line.get_marker() == "o"} == {GREY}
    low, high = ax.get_xlim()
    arrows = sum(line.get_marker() in ("<", ">") for line in ax.lines)
    assert arrows == (unit.factor * shown["low"] < low).sum() + (unit.factor * shown["high"] > high).sum()
    words = " ".join([text.get_text() for text in ax.texts] + [plotting.alt_text(ax)])
    assert "exploratory" in words
    assert not any(word in words for word in ("better", "worse", "equivalent", "inconclusive"))


def test_what_cannot_be_drawn_is_said(planted):
    with pytest.raises(WorkbenchError, match="no segment has enough users"):
        plotting.who_gains(replace(planted, segments=planted.segments[:0]))
    with pytest.raises(WorkbenchError, match=r"wb\.study\(\.\.\., sensitivity=True\)"):
        plotting.sensitivity(planted)
