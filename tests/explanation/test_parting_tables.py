"""Tables of a disagreement: none of few users, and each view beside its own SHAP values."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
from workbench.explanation.parting_tables import DIRECTIONS, OTHERWISE, directions_of, separating_features
from workbench.explanation.parting_views import ONLY_MODEL, SAME

from workbench.explanation import parting_tables


def planted(way, users):
    """What the tables read of a disagreement about pages."""
    acting = object.__new__(parting_tables.PagesActing)
    frame = pd.DataFrame({"view_id": np.arange(len(way)) + 1000}, index=np.arange(len(way)) + 5000)
    for name, value in {"frame": frame, "users": users, "model": None}.items():
        object.__setattr__(acting, name, value)
    return SimpleNamespace(acting=acting, way=way, direction=way, difference=np.where(way == SAME, 0.0, 1.0))


def test_of_15_users_there_is_no_direction():
    users = np.arange(60) // 4
    found = directions_of(planted(np.where(users % 2, ONLY_MODEL, SAME).astype(object), users))
    assert found.empty and list(found) == DIRECTIONS


def test_directions_of_few_users_are_one():
    users = np.arange(60)
    way = np.array(["a", "b", SAME], object)[np.minimum(users // 15, 2)]
    found = directions_of(planted(way, users))
    assert found["direction"].tolist() == [OTHERWISE, SAME]
    assert found["net"].tolist() == [1, 0] and found["contribution"].tolist() == [0.5, 0]


def test_views_without_candidates_are_left_out_of_what_separates(monkeypatch):
    """Every third view goes unexplained; the feature tells in which views they disagree."""
    users = np.arange(300) // 3
    way = np.where(np.random.default_rng(0).random(300) < 0.4, ONLY_MODEL, SAME).astype(object)

    def explain(model, frame, views):
        kept = np.flatnonzero(np.arange(views) % 3)
        values = np.column_stack([way[kept] != SAME, np.zeros(len(kept))]).astype(float)
        return SimpleNamespace(
            values=values, index=frame.index[kept], feature_names=["telling", "nothing"], output_names="log-odds"
        )

    monkeypatch.setattr(parting_tables, "explain_next_page", explain)
    found = separating_features(planted(way, users))
    assert found[["feature", "difference"]].to_numpy().tolist() == [["telling", 1], ["nothing", 0]]
    assert found["views"].iloc[0] == (way[np.arange(300) % 3 > 0] == ONLY_MODEL).sum()
    assert found.attrs["question"] == "log-odds"


def test_where_too_few_are_left_nothing_separates(monkeypatch):
    """All have candidates but those of whom they disagree: 19 users at most are left."""
    users = np.arange(100)
    way = np.where(users < 40, ONLY_MODEL, SAME).astype(object)
    monkeypatch.setattr(
        parting_tables, "explain_next_page", lambda model, frame, views: SimpleNamespace(index=frame.index[21:])
    )
    assert separating_features(planted(way, users)).empty
