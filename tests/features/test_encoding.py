import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold

from workbench.features import encoding as module
from workbench.features.encoding import Encoding, fit_encoding

TINY = Encoding(
    numbers=("os_major",),
    levels={"isp": ["a", "b"], "save_data": ["(missing)", "True"]},
    means={"city|log": {"x": 1.5, "(missing)": 9.0}, "city|tail": {"x": 0.25, "(missing)": 0.0}},
    defaults={"log": 4.0, "tail": 0.1},
)


def some_context(rows: int = 4000, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Context with numbers, few and many levels, holes; a target; users with several rows."""
    rng = np.random.default_rng(seed)
    context = pd.DataFrame(
        {
            "os_major": rng.choice([9.0, 10, 11, np.nan], rows),
            "isp": pd.Series(rng.choice(["a", "b", "c"], rows), dtype="str").mask(rng.random(rows) < 0.1),
            "city": pd.Series(rng.integers(0, 40, rows)).astype("str").mask(rng.random(rows) < 0.1),
            "save_data": pd.array(rng.choice([True, False], rows), "boolean"),
        }
    )
    return context, rng.normal(size=rows), rng.integers(0, rows // 4, rows)


def test_a_tiny_context_is_encoded_as_by_hand():
    context = pd.DataFrame(
        {
            "os_major": [11.0, None, 9.0],
            "isp": ["a", "zzz", None],
            "save_data": pd.array([True, False, None], "boolean"),
            "city": ["x", "never seen", None],
        }
    )
    expected = [
        # os, isp=a, isp=b, save missing, save true, city|log, city|tail
        [11, 1, 0, 0, 1, 1.5, 0.25],
        [np.nan, 0, 0, 0, 0, 4.0, 0.1],
        [9, 0, 0, 1, 0, 9.0, 0.0],
    ]
    encoded = TINY.transform(context)
    assert encoded.dtype == np.float32
    np.testing.assert_array_equal(encoded, np.array(expected, np.float32))
    assert TINY.features == [
        *("os_major", "isp=a", "isp=b", "save_data=(missing)", "save_data=True", "city|log", "city|tail")
    ]
    assert TINY.sources == ["os_major", "isp", "isp", "save_data", "save_data", "city", "city"]


def test_no_rows_and_no_columns_are_encoded_too():
    assert TINY.transform(pd.DataFrame()).shape == (0, 7)
    missing = pd.DataFrame({"os_major": [np.nan], "isp": [None], "save_data": [None], "city": [None]})
    np.testing.assert_array_equal(TINY.transform(pd.DataFrame(index=[0])), TINY.transform(missing))
    encoding, matrix = fit_encoding(pd.DataFrame({"isp": ["a"] * 6}), {"log": np.arange(6.0)}, np.arange(6))
    assert encoding.features == [] and matrix.shape == (6, 0)
    assert encoding.transform(pd.DataFrame({"isp": ["b"] * 3})).shape == (3, 0)


def test_columns_without_variation_are_left_out():
    context = pd.DataFrame(
        {
            "country": ["DE"] * 6,
            "device": pd.Series([None] * 6, dtype="str"),
            "os_major": [11.0] * 6,
            "browser_major": [np.nan] * 6,
            "isp": ["a", None, "a", "a", "a", "a"],
            "save_data": pd.array([None] * 5 + [True], "boolean"),
        }
    )
    context = pd.concat([context] * 20, ignore_index=True)
    encoding, _ = fit_encoding(context, {"log": np.arange(120.0)}, np.arange(120))
    assert encoding.features == ["isp=(missing)", "isp=a", "save_data=(missing)", "save_data=True"]


def test_levels_of_fewer_than_20_users_are_one_and_so_are_those_never_seen():
    """Of 30 cities with 20 users each, five more with 10 users each count as one, whose mean answers for them."""
    city = np.repeat([f"c{i:02}" for i in range(30)] + [f"few{i}" for i in range(5)], [40] * 30 + [40] * 5)
    users = np.concatenate([np.repeat(np.arange(600), 2), 1_000 + np.arange(200) // 4])
    rng = np.random.default_rng(0)
    values = np.where(pd.Series(city).str.startswith("few"), 5.0, 0.0) + rng.normal(size=len(city))
    small = np.where(np.arange(len(city)) < 60, "rare", "common")
    context = pd.DataFrame({"city": city, "isp": small})
    encoding, _ = fit_encoding(context, {"log": values}, users)
    assert set(encoding.means["city|log"]) == {*(f"c{i:02}" for i in range(30)), "(too few users)"}
    asked = pd.DataFrame({"city": ["few0", "few4", "never seen", "c00"], "isp": "common"})
    told = encoding.transform(asked)[:, encoding.features.index("city|log")]
    assert told[0] == told[1] == told[2] == pytest.approx(values[1_200:].mean(), rel=0.05) and abs(told[3]) < 1
    assert encoding.levels["isp"] == ["common", "rare"]
    context["isp"] = np.where(np.arange(len(city)) < 38, "rare", "common")
    assert fit_encoding(context, {"log": values}, users)[0].levels["isp"] == ["common"]
    (column,) = [each for each in encoding.columns() if "means" in each]
    assert column["otherwise"] == pytest.approx(told[0]) and not any("few" in level for level in column["means"])


@pytest.mark.parametrize(("levels", "features"), [(20, 20), (21, 2)])
def test_more_than_20_levels_are_target_encoded(levels, features):
    rng = np.random.default_rng(0)
    context = pd.DataFrame({"city": [f"c{i:02}" for i in range(levels)] * 20})
    targets = {"log": rng.normal(size=len(context)), "tail": rng.random(len(context))}
    encoding, matrix = fit_encoding(context, targets, np.arange(len(context)))
    assert len(encoding.features) == matrix.shape[1] == features
    assert ("city|log" in encoding.features) == (levels > 20)


def test_the_mean_of_a_level_is_shrunk_towards_the_whole_by_its_noise():
    """Empirical Bayes (Micci-Barreca 2001; scikit-learn user guide, 7.3.4.3), with pandas."""
    context, values, users = some_context()
    encoding, _ = fit_encoding(context, {"log": values}, users)
    by_city = pd.Series(values).groupby(context["city"].fillna("(missing)"))
    n, mean, noise = by_city.size(), by_city.mean(), by_city.var(ddof=0)
    weight = n * values.var() / (n * values.var() + noise)
    expected = weight * mean + (1 - weight) * values.mean()
    assert encoding.means["city|log"] == pytest.approx(expected.to_dict())
    assert encoding.defaults["log"] == pytest.approx(values.mean())


def test_the_cross_fitted_columns_are_means_over_the_other_folds_users():
    context, values, users = some_context()
    encoding, matrix = fit_encoding(context, {"log": values}, users, seed=3)
    crossed = encoding.features.index("city|log")
    column = matrix[:, crossed]
    np.testing.assert_array_equal(np.delete(matrix, crossed, 1), np.delete(encoding.transform(context), crossed, 1))
    city = context["city"].fillna("(missing)")
    folds = module.GroupKFold(5, shuffle=True, random_state=3).split(context, groups=users)
    for fit, held_out in folds:
        assert not set(users[fit]) & set(users[held_out])
        again, _ = fit_encoding(context.iloc[fit], {"log": values[fit]}, users[fit])
        expected = city.iloc[held_out].map(again.means["city|log"]).fillna(values[fit].mean())
        np.testing.assert_allclose(column[held_out], expected, rtol=1e-6)


def crossed_column(context: pd.DataFrame, values: np.ndarray, users: np.ndarray) -> np.ndarray:
    encoding, matrix = fit_encoding(context, {"log": values}, users)
    return matrix[:, encoding.features.index("city|log")]


@pytest.fixture
def folds_that_split_users(monkeypatch) -> None:
    """The guard broken on purpose: rows of one user in several folds."""

    class Ungrouped(KFold):
        def split(self, X, y=None, groups=None):
            return super().split(X)

    monkeypatch.setattr(module, "GroupKFold", Ungrouped)


def own_answers_told(user: int) -> bool:
    """Whether the encoded rows of a user change with the user's own answers."""
    context, values, users = some_context()
    other = np.where(users == user, values + 100, values)
    own = users == user
    return not np.array_equal(crossed_column(context, values, users)[own], crossed_column(context, other, users)[own])


def test_no_row_is_encoded_by_any_answer_of_its_own_user():
    assert not any(own_answers_told(user) for user in range(3))


def test_with_ungrouped_folds_rows_would_be(folds_that_split_users):
    assert any(own_answers_told(user) for user in range(3))


def test_a_column_may_have_a_bar_in_its_name():
    context, values, users = some_context()
    context = context[["city"]].rename(columns={"city": "home|city"})
    encoding, matrix = fit_encoding(context, {"log": values}, users)
    assert encoding.sources == ["home|city"] and encoding.transform(context).shape == matrix.shape == (4000, 1)
