"""Archetypes of both decisions, and what of them may be changed."""

import json

import numpy as np
import pandas as pd
import pytest
from workbench.explanation.inspecting import (
    change_context,
    describe_fields,
    find_archetypes,
    inspection_of,
    inspector_data,
)

import workbench as wb


def of_images():
    split = wb.split_by_user(wb.load("synthetic_measurements", rows=4000))
    return wb.train_network_quality(split, max_trees=5), wb.rules(split), split.train


def of_pages():
    split = wb.split_by_time(wb.load("synthetic_navigations", rows=4000))
    return wb.train_next_page(split, max_trees=5), wb.rules(split), split.train


@pytest.fixture(scope="module", params=[of_images, of_pages], ids=["images", "pages"])
def inspection(request):
    return inspection_of(*request.param())


@pytest.fixture(scope="module")
def archetypes(inspection):
    return find_archetypes(inspection)


def test_archetypes_are_different_and_stand_for_a_crowd(archetypes):
    assert next(iter(archetypes)) == "the most common view"
    assert 2 < len(archetypes) <= 6
    views = [str(view.iloc[0].to_dict()) for view in archetypes.values()]
    assert len(set(views)) == len(views)
    assert all(view.attrs["users"] >= 20 for view in archetypes.values())


def test_all_values_of_an_archetype_together_are_shared_by_a_crowd(inspection, archetypes):
    for view in archetypes.values():
        told = [name for name in view if view[name].notna().all() and view[name].dtype != float]
        same = (inspection.table[told].astype(object) == view[told].astype(object).iloc[0]).all(axis=1)
        assert len(np.unique(inspection.who[same])) >= view.attrs["users"] >= 20


def test_fields_offer_what_archetypes_hold(inspection, archetypes):
    for field in describe_fields(inspection, archetypes):
        if "options" in field:
            held = {view[field["name"]].iloc[0] for view in archetypes.values()}
            assert {str(value) for value in held if not pd.isna(value)} <= set(map(str, field["options"]))
        else:
            assert field["low"] <= field["high"]


def test_the_data_are_plain_and_few(inspection, archetypes):
    data = inspector_data(inspection, archetypes)
    assert len(json.dumps(data, allow_nan=False)) < 100_000
    assert data["simulated"] is True
    assert [each["name"] for each in data["archetypes"]] == list(archetypes)


def test_a_changed_view_keeps_all_else(archetypes):
    common = next(iter(archetypes.values()))
    changed = change_context(common, {"local_hour": 3.0, "country": None})
    assert changed["local_hour"].item() == 3
    assert changed["country"].isna().all()
    assert changed.dtypes.equals(common.dtypes)
    assert changed.attrs == common.attrs
    pd.testing.assert_frame_equal(
        changed.drop(columns=["local_hour", "country"]), common.drop(columns=["local_hour", "country"])
    )


def test_what_is_no_model_is_refused():
    with pytest.raises(wb.WorkbenchError, match=r"expected a model, as from .*train_next_page\(split\); got 3\."):
        inspection_of(3, [], pd.DataFrame())


def test_a_level_none_of_whose_pages_many_share_is_no_archetype():
    """Thirty people on phones open one page; thirty on desktops open thirty."""
    people = np.repeat(np.arange(60), 4)
    place, phone = np.tile(np.arange(4), 60), people < 30
    page = np.where(phone, np.where(place % 2, "a", "b"), np.char.add("c", (people * 2 + place % 2).astype(str)))
    frame = pd.DataFrame({"user_id": people, "session_id": people, "page": page})
    views = wb.navigations(frame.assign(device=np.where(phone, "phone", "desktop")), name="halves")
    split = wb.split_by_user(views)
    model = wb.train_next_page(split, max_trees=2)
    found = find_archetypes(inspection_of(model, [], views, None))
    assert "device: phone" in found or "the most common view" in found
    assert "device: desktop" not in found
    assert all(view["page"].notna().all() for view in found.values())
