import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest

import workbench as wb
from workbench.datasets.readers import links_of
from workbench.datasets.splits import card_of
from workbench.errors import WorkbenchError


@pytest.fixture(scope="module")
def views() -> pd.DataFrame:
    return wb.load("synthetic_measurements", rows=400)


@pytest.fixture(scope="module")
def pages() -> pd.DataFrame:
    return wb.load("synthetic_navigations", rows=400)


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.head(100),
        lambda frame: frame[frame["country"] == "DE"],
        lambda frame: frame.query("country == 'DE'"),
        lambda frame: frame.sort_values("user_id").reset_index(drop=True),
        lambda frame: frame.assign(isp="one").dropna(subset=["browser"]),
        lambda frame: pd.concat([frame.head(50), frame.tail(50)]),
        lambda frame: frame.merge(frame[["user_id"]].drop_duplicates().head(20), on="user_id"),
        lambda frame: frame.copy(),
    ],
)
def test_a_frame_keeps_its_card(change, views, pages):
    for frame in (views, pages):
        changed = change(frame)
        assert card_of(changed) == card_of(frame) and changed.attrs["dropped"] == frame.attrs["dropped"]
    assert links_of(change(pages)) is links_of(pages)
    assert card_of(pages.head(5)) is card_of(pages)  # pandas copies attrs deeply with every selection; not a card


def test_frames_of_one_card_loaded_twice_are_concatenated_with_it(pages):
    again = wb.load("synthetic_navigations", rows=400)
    assert card_of(again) == card_of(pages) and card_of(again) is not card_of(pages)
    both = pd.concat([pages, again])
    assert card_of(both) == card_of(pages) and links_of(both).equals(links_of(pages))
    assert replace(card_of(pages), margin=3) != card_of(pages)


def test_merging_another_table_loses_the_card_and_the_error_says_what_to_call(views):
    plans = pd.DataFrame({"user_id": views["user_id"].unique(), "mine": 1})
    merged = views.merge(plans, on="user_id")
    with pytest.raises(WorkbenchError, match=r"wb\.measurements\(df, like=views\) or wb\.navigations\(df, like=views"):
        wb.split_by_user(merged)
    repaired = wb.measurements(merged, like=views)
    assert card_of(repaired) == card_of(views)
    pd.testing.assert_frame_equal(views, repaired[list(views)])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("form", ["parquet", "feather"])
def test_a_frame_that_was_written_gets_its_card_back(form, views, pages, tmp_path):
    for frame, read in ((views, wb.measurements), (pages, wb.navigations)):
        getattr(frame, f"to_{form}")(tmp_path / "views")
        back = read(getattr(pd, f"read_{form}")(tmp_path / "views"), like=frame)
        pd.testing.assert_frame_equal(back[list(frame)], frame, check_frame_type=False)
        assert card_of(back) == card_of(frame)


def test_frames_of_different_cards_lose_them_both(views):
    other = wb.load("synthetic_null", rows=100)
    with pytest.raises(WorkbenchError, match="got a frame without one"):
        card_of(pd.concat([views, other]))


def test_page_views_like_others_get_card_and_links_and_are_numbered_anew(pages):
    sessions = pages["session_id"].unique()[::2]
    some = pages.merge(pd.DataFrame({"session_id": sessions}), on="session_id")
    repaired = wb.navigations(some, like=pages)
    assert card_of(repaired) == card_of(pages) and links_of(repaired).equals(links_of(pages))
    assert repaired["session_id"].tolist() == pd.factorize(some["session_id"])[0].tolist()
    assert repaired["page"].astype(str).tolist() == some["page"].astype(str).tolist()
    assert repaired["view_id"].tolist() == list(range(len(some)))


def test_like_checks_the_frame_and_takes_nothing_else(views, pages):
    with pytest.raises(WorkbenchError, match="synthetic_measurements: column 'rtt_ms' must be above 0, or infinite"):
        wb.measurements(views.assign(rtt_ms=-1.0), like=views)
    with pytest.raises(WorkbenchError, match=r"like= takes its card as it is; leave out name, margin\."):
        wb.measurements(views, like=views, margin=2, name="ours")
    with pytest.raises(WorkbenchError, match=r"like= is of navigations; take wb\.navigations\(df, like=views\)"):
        wb.measurements(views, like=pages)
    with pytest.raises(WorkbenchError, match="got a frame without one"):
        wb.measurements(views, like=pd.DataFrame(views))


@pytest.mark.parametrize(
    "code",
    [
        "from workbench.datasets import load; wb.datasets()",
        "wb.datasets(); from workbench.datasets.cards import find_card; wb.datasets.load('synthetic_null', rows=10)",
    ],
)
def test_the_datasets_are_listed_whether_or_not_the_package_of_that_name_is_imported(code):
    code = f"import workbench as wb; {code}; frame = wb.datasets(); print(len(frame), *frame.columns[:6])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "11 name title kind origin licence simulated\n"
