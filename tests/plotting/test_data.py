import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench import plotting
from workbench.datasets.schema import label
from workbench.errors import WorkbenchError


def ours(**columns) -> pd.DataFrame:
    return wb.measurements(pd.DataFrame(columns))


def legend(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.fixture(scope="session")
def real_views(mirror):
    return wb.load("mobile_bandwidth")


@pytest.mark.parametrize("picture", [plotting.measured, plotting.known_context_shares], ids=lambda p: p.__name__)
def test_pictures_of_real_data_can_be_read(real_views, picture, draw):
    ax = draw(picture, real_views)
    assert ax.get_title("right") == "mobile_bandwidth"
    if ax.get_legend():
        box = ax.get_legend().get_window_extent()
        points = np.vstack([ax.transData.transform(line.get_xydata()) for line in ax.lines])
        assert not ((points > box.min) & (points < box.max)).all(axis=1).any()


def test_a_line_is_the_share_at_or_below(views, draw):
    ax = draw(plotting.measured, views)
    assert ax.get_title("right") == "SIMULATED: synthetic_measurements" and ax.get_xscale() == "log"
    for line in ax.lines:
        group = line.get_label().split(",")[0]
        column = views["connection_type"]
        rows = views[column.isna() if group == "no value" else column == group]
        for x, y in line.get_xydata()[1 :: len(rows) // 7]:
            assert y == pytest.approx((rows["downlink_mbps"] <= x).mean())
        assert line.get_label().endswith(f"{100 * len(rows) / len(views):.0f} % of views")


def test_the_legend_stands_in_the_order_of_the_medians(views):
    ax = plotting.measured(views, "rtt_ms", by="os_family")
    medians = views.groupby("os_family")["rtt_ms"].median().sort_values()
    named = [text.split(",")[0] for text in legend(ax)]
    assert [name for name in medians.index if name in named] == [name for name in named if name in medians.index]
    assert "round-trip time, ms" in ax.get_xlabel()


def test_all_but_the_six_largest_groups_are_one():
    isp = [f"isp {i}" for i in range(9) for _ in range(20 + i)]
    ax = plotting.measured(ours(rtt_ms=np.arange(1, len(isp) + 1), isp=isp), by="isp")
    kept = {f"isp {i}, {100 * (20 + i) / len(isp):.0f} % of views" for i in (3, 4, 5, 6, 7, 8)}
    assert set(legend(ax)) == kept | {f"other, {100 * 63 / len(isp):.0f} % of views"}


def test_a_group_of_few_users_is_not_shown():
    rows = {"rtt_ms": range(1, 61), "user_id": [str(i) for i in range(60)]}
    frame = ours(**rows, os_family=["Android"] * 55 + ["iOS"] * 5)
    assert legend(plotting.measured(frame)) == ["Android, 92 % of views"]
    one_person = ours(
        **rows | {"user_id": ["a"] * 30 + list("bcdefghijk") * 3}, os_family=["Android"] * 30 + ["iOS"] * 30
    )
    assert legend(plotting.measured(one_person)) == ["all views, 100 % of views"]


def test_lost_measurements_are_left_out(draw):
    ax = draw(plotting.measured, ours(rtt_ms=[*range(1, 39), np.inf, np.inf, None, None]))
    assert legend(ax) == ["all views, 100 % of views"] and "over 38 views" in plotting.alt_text(ax)
    assert "left out: 5 % of the views, whose probe was lost" in [text.get_text() for text in ax.texts]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"quantity": "rtt"}, "here rtt_ms; got 'rtt'. Did you mean 'rtt_ms'?"),
        ({"quantity": "downlink_mbps"}, "here rtt_ms; got 'downlink_mbps'"),
        ({"by": "os_famly"}, "by must be a column of the frame; got 'os_famly'. Did you mean 'os_family'?"),
    ],
)
def test_what_is_not_there_is_said(arguments, words):
    with pytest.raises(WorkbenchError) as caught:
        plotting.measured(ours(rtt_ms=[1.0, 2.0], os_family=["iOS", "iOS"]), **arguments)
    assert words in str(caught.value)


def test_shares_of_what_is_known(draw, views):
    draw(plotting.known_context_shares, views)
    frame = ours(
        rtt_ms=[1, 2, 3, 4],
        os_family=["iOS", None, "iOS", "iOS"],
        connection_type=["wifi", "unknown", None, "wifi"],
        save_data=[True, False, None, None],
    )
    ax = plotting.known_context_shares(frame)
    bars = {container.get_label(): container[0] for container in ax.containers}
    shares = {name: bar.get_width() for name, bar in bars.items() if not name.startswith("_")}
    rows = [text.get_text() for text in ax.get_yticklabels()]
    assert list(map(label, shares)) == rows
    assert {name: share for name, share in shares.items() if share} == {
        "os_family": 0.75,
        "save_data": 0.5,
        "connection_type": 0.5,
    }
    words = [text.get_text() for text in ax.texts]
    assert words.count("not in this data") == len(rows) - 3
    assert sum(word.startswith("Known ") for word in words) == 3
    assert len({bars[name].get_facecolor() for name in ("os_family", "device", "connection_type")}) == 3


def test_boxes_of_netinfo_classes(views, draw):
    ax = draw(plotting.netinfo_bluntness, views)
    classes = views["effective_type"].astype(object).fillna("no value")
    labels = [label.get_text() for label in ax.get_yticklabels()]
    boxes = [patch.get_path().get_extents() for patch in ax.patches]
    assert labels[0] == f"4g\n{100 * (classes == '4g').mean():.0f} % of views"
    assert labels[-1].startswith("no value\n")
    for name, box in zip(labels, boxes, strict=True):
        values = views.loc[classes == name.split("\n")[0], "downlink_mbps"]
        assert (box.x0, box.x1) == pytest.approx(tuple(np.quantile(values, [0.25, 0.75])))
    assert "4g (" in plotting.alt_text(ax)


def test_data_without_netinfo_say_so(real_views):
    with pytest.raises(WorkbenchError, match="mobile_bandwidth: this data carries no NetInfo class"):
        plotting.netinfo_bluntness(real_views)
    with pytest.raises(WorkbenchError, match=r"through wb.measurements\(df\)"):
        plotting.measured(pd.DataFrame({"rtt_ms": [1.0]}))
    with pytest.raises(WorkbenchError, match="no NetInfo class has 20 users"):
        plotting.netinfo_bluntness(ours(rtt_ms=[1, 2], effective_type=["4g", "3g"]))
