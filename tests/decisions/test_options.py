from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.datasets.columns import Column
from workbench.datasets.schema import known_context
from workbench.decisions.chances import SMOOTHINGS, ChancePolicy, Lookup, OneOption, try_tables
from workbench.decisions.images.decision import DECISION as IMAGES
from workbench.decisions.images.replay import rendition_payoffs
from workbench.decisions.images.scenario import Prospects
from workbench.decisions.options import LIMITS, decide, measured_or_assumed
from workbench.decisions.policy import Situations
from workbench.errors import WorkbenchError

SCENARIO = wb.ImageScenario()
VIEWS = pd.DataFrame({"rtt_ms": [200.0] * 4, "downlink_mbps": [8.0, 0.8, 0.32, 0.02]})


def peeks_by_key(context):
    return context["downlink_mbps"].gt(1).map({True: "large", False: "small"})


def peeks_by_attribute(context):
    return context.rtt_ms.gt(1).map({True: "large", False: "small"})


@pytest.mark.parametrize(("policy", "column"), [(peeks_by_key, "downlink_mbps"), (peeks_by_attribute, "rtt_ms")])
def test_a_policy_that_reads_its_own_measurement_raises(policy, column):
    with pytest.raises(WorkbenchError, match=f"{policy.__name__} reads '{column}', which the view itself measured"):
        decide(policy, known_context(VIEWS, "native_app"), SCENARIO)


def test_the_guard_can_fail():
    """Broken on purpose: where the whole frame is handed out, peeking goes unnoticed."""
    assert decide(peeks_by_key, VIEWS, SCENARIO).tolist() == [2, 0, 0, 0]


def test_what_is_known_later_is_not_shown():
    views = VIEWS.assign(effective_type="4g")

    def by_class(context):
        return context["effective_type"].map({"4g": "large"})

    with pytest.raises(WorkbenchError, match="'effective_type', which is not known when the decision is taken"):
        decide(by_class, known_context(views, "first_request"), SCENARIO)
    assert decide(by_class, known_context(views, "after_accept_ch"), SCENARIO).tolist() == [2] * 4


def test_a_column_that_is_nowhere_is_named():
    with pytest.raises(WorkbenchError, match="there is no column 'colour'"):
        decide(lambda context: context["colour"], VIEWS, SCENARIO)


def test_a_policy_cannot_change_what_others_see():
    context = known_context(VIEWS.assign(country="SE"), "first_request")

    def vandal(context):
        context["country"] = "XX"
        return ["small"] * len(context)

    decide(vandal, context, SCENARIO)
    assert (context["country"] == "SE").all()


@dataclass(frozen=True)
class LargeUnder:
    """A person's own rule, whose field is called as a limit that comparisons tune."""

    limit: float

    def __call__(self, context):
        return np.where(context["local_hour"] < self.limit, "large", "small")


@dataclass(frozen=True, slots=True)
class LargeUnderInSlots(LargeUnder):
    """The same without a dictionary of its own."""


def test_two_rules_of_one_class_answer_each_for_itself():
    context = pd.DataFrame({"local_hour": [1.0, 9.0, 20.0]})
    views = Situations(context, context, np.arange(3), "users", None, "first_request")
    for rule in (LargeUnder, LargeUnderInSlots):
        answers = [IMAGES.ask(rule(limit), views, wb.ImageScenario()).tolist() for limit in (6.0, 12.0, 6.0)]
        assert answers == [[2, 0, 0], [2, 2, 0], [2, 0, 0]]


def test_a_policy_that_sorts_its_views_is_read_by_its_index():
    context = pd.DataFrame({"country": list("dbca")}, index=[7, 7, 3, 1])

    def by_country(context):
        return context["country"].map({"a": "small", "b": "large"}).fillna("medium")

    def sorts(context):
        return by_country(context.sort_values("country"))

    assert decide(sorts, context, SCENARIO).tolist() == decide(by_country, context, SCENARIO).tolist() == [1, 2, 1, 0]


def next_view(context):
    """The row below, as it comes: where rows are by time, that of the same person has measured this view."""
    return context["last_downlink_mbps"].shift(-1).gt(1).map({True: "large", False: "small"})


def next_view_of_its_own_order(context):
    in_order = context.sort_values(["city", "earlier_views"])
    return in_order["last_downlink_mbps"].shift(-1).gt(1).map({True: "large", False: "small"})


def among_all_others(context):
    return context["last_downlink_mbps"].gt(context["last_downlink_mbps"].median()).map({True: "large", False: "small"})


def by_lot(context):
    return np.random.default_rng().choice(["small", "large"], len(context))


@pytest.mark.parametrize("rule", [next_view, next_view_of_its_own_order, among_all_others, by_lot])
def test_a_decision_rests_on_its_own_view_alone(rule):
    rng = np.random.default_rng(0)
    context = pd.DataFrame(
        {
            "city": rng.integers(0, 9, 200).astype(str),
            "earlier_views": np.arange(200.0),
            "last_downlink_mbps": np.exp(rng.normal(0, 1, 200)),
        }
    )
    with pytest.raises(WorkbenchError, match=rf"^{rule.__name__} reads other views: asked about half .* of 100\."):
        decide(rule, context, SCENARIO)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (["small", "small"], "expected one of small, medium, large for each of 4 views; got 2 answers"),
        (["small", "huge", "small", "huge"], "one of small, medium, large for each of 4 views; got 'huge' in 2"),
        ([None] * 4, "got None in 4 of them"),
        ("large", "expected one of small, medium, large for each of 4 views; got 'large'"),
    ],
)
def test_a_wrong_answer_is_named(answer, said):
    with pytest.raises(WorkbenchError, match=said):
        decide(lambda context: answer, pd.DataFrame(index=VIEWS.index), SCENARIO)


def test_save_data_always_gets_the_smallest():
    context = pd.DataFrame({"save_data": pd.array([True, False, None, True], dtype="boolean")})
    assert decide(OneOption("large"), context, SCENARIO).tolist() == [0, 2, 2, 0]


def test_a_quantity_is_measured_everywhere_or_assumed_everywhere():
    assert measured_or_assumed(VIEWS, "rtt_ms", {}).tolist() == [200] * 4
    assert measured_or_assumed(VIEWS[["downlink_mbps"]], "rtt_ms", {"rtt_ms": 115.0}).tolist() == [115] * 4
    with pytest.raises(WorkbenchError, match="rtt_ms is neither measured nor assumed"):
        measured_or_assumed(VIEWS[["downlink_mbps"]], "rtt_ms", {})
    with pytest.raises(WorkbenchError, match="rtt_ms is missing in 1 of 4 views"):
        measured_or_assumed(VIEWS.assign(rtt_ms=[200, 200, None, 200]), "rtt_ms", {"rtt_ms": 115.0})


def at(given):
    n = len(given["net"])
    frame = pd.DataFrame(index=range(n))
    return Situations(frame, frame, np.arange(n), "users", None, "first_request", given)


def views(n):
    speed = np.exp(np.random.default_rng(0).normal(2, 1, n))
    return rendition_payoffs(pd.DataFrame({"rtt_ms": 50.0, "downlink_mbps": speed}), SCENARIO, {})


def expects(given, factor):
    """Somebody who takes waits for so many times what they are."""
    return Prospects(given["late"], given["late"] * 0.0, given["added_wait_ms"] * factor)


def tuned(prospects, given):
    policy = ChancePolicy(type("Source", (), {}))
    here = at(given)
    here.remember(policy, IMAGES.prices_aside(SCENARIO), lambda: prospects)
    return IMAGES.tune(policy, here, SCENARIO).limit


def test_a_higher_limit_waits_less_for_less_quality():
    given = views(2000)
    blur = np.exp(np.random.default_rng(1).normal(0, 1, (2000, 1)))
    frontier = IMAGES.frontier(expects(given, blur), at(given), SCENARIO)
    assert frontier["limit"].tolist() == pytest.approx(LIMITS.tolist())
    assert (np.diff(frontier["added_wait_ms"]) <= 1e-9).all() and (np.diff(frontier["quality"]) <= 1e-9).all()


def test_a_policy_that_misjudges_waits_gets_a_limit_that_mends_it():
    given = views(4000)
    assert tuned(expects(given, 1.0), given) == 1.0 and tuned(expects(given, 1 / 5), given) > 2


def two_people(gains):
    """Up to the price everybody gets the medium rendition, above it the small one, which gains a person so much."""
    n = len(gains)
    prospects = Prospects(np.zeros((n, 3)), np.tile([0, 0, 1.0], (n, 1)), np.tile([0, 42 * 4 / 1.05, 0], (n, 1)))
    net = np.column_stack([np.asarray(gains, float), np.zeros(n), np.zeros(n)])
    return prospects, {"net": net, "quality": net, "added_wait_ms": net}


def test_a_gain_that_everybody_has_moves_the_limit_as_little_as_it_takes():
    assert tuned(*two_people([10, 10])) == LIMITS[LIMITS > 1.01][0]


def test_a_gain_within_the_noise_does_not_move_the_limit():
    # 10 and -8: a mean of 1, give or take 6.4.
    prospects, given = two_people([10, -8])
    assert IMAGES.frontier(prospects, at(given), SCENARIO)["net"].max() == 1
    assert tuned(prospects, given) == 1.0


def people(rows=4000, seed=0):
    """Views with a lane that the card declares, an hour, a provider, a city of noise; the network is yet to be said."""
    rng = np.random.default_rng(seed)
    drawn = {
        "user_id": rng.integers(0, rows // 4, rows).astype(str),
        "isp": rng.choice(["Alpha", "Beta"], rows),
        "city": rng.integers(0, 200, rows).astype(str),
        "local_hour": rng.integers(0, 24, rows).astype(float),
    }
    return pd.DataFrame(drawn).assign(lane=rng.choice(["bus", "bike"], rows))


def split_of(frame, slow, **others):
    """The views' split, 0.4 Mbit/s where ``slow`` and 100 elsewhere; the card knows the lane."""
    lanes = (Column("lane", "str", "first_request", "own"),)
    made = wb.measurements(
        frame.assign(downlink_mbps=np.where(slow, 0.4, 100.0), **others), assume={"rtt_ms": (50, 50, 50)}
    )
    views = made.assign(lane=frame["lane"].astype("str"))
    views.attrs["card"] = replace(made.attrs["card"], context=lanes)
    return wb.split_by_user(views)


def best_table(split, scenario=SCENARIO):
    return IMAGES.best_table(split, "first_request", scenario)


def test_the_pair_that_decides_is_found_with_the_card_s_own_column_and_bins_of_numbers():
    frame = people()
    split = split_of(frame, (frame["lane"] == "bus") == (frame["local_hour"] >= 12))
    table = best_table(split)
    assert set(table.keys) == {"lane", "local_hour"}
    assert table.name.startswith("most fitting size per ") and table.name.endswith(", searched")
    assert "local hour" in table.name and "lane" in table.name
    test = IMAGES.situations(split.test, split.card, split.cluster, "first_request", SCENARIO)
    right = IMAGES.ask(table, test, SCENARIO) == test.given["net"].argmax(axis=1)
    assert right.mean() > 0.9  # but for the bin that holds noon
    assert table.name in [rule.name for rule in wb.rules(split)]


def test_of_tables_that_cannot_be_told_apart_the_coarsest_is_taken():
    frame = people()
    noise = np.random.default_rng(1).random(len(frame)) < 0.1
    assert best_table(split_of(frame, (frame["isp"] == "Alpha") ^ noise)).keys == ("isp",)


def test_where_nothing_varies_there_is_no_table():
    frame = people().assign(isp="Alpha", city="x", local_hour=1.0, lane="bus")
    split = split_of(frame, frame["user_id"] < "5")
    test = IMAGES.situations(split.test, split.card, split.cluster, "first_request", SCENARIO)
    assert IMAGES.why_unavailable(best_table(split), test) == "no column of the context varies"


def test_another_scenario_searches_again_and_a_given_table_stays():
    frame = people()
    # Providers differ in what a tight budget asks of, lanes in what a loose one does.
    fast = np.where(frame["isp"] == "Alpha", 100.0, 6.0)
    split = split_of(frame, frame["lane"] == "bus")
    views = [part.assign(downlink_mbps=fast[part.index]) for _, part in split.parts()]
    split = replace(split, **dict(zip(("train", "calibration", "validation", "test"), views, strict=True)))
    tight = wb.ImageScenario(budget_ms=700)
    given, searched = Lookup(("city",)).fit(split.train), best_table(split, tight)
    assert searched.keys == ("isp",)
    same, again = IMAGES.settle_rules((given, searched), split, tight)
    assert same is given and again is searched
    _, loose = IMAGES.settle_rules((given, searched), split, wb.ImageScenario(budget_ms=4000))
    assert loose.searched.budget_ms == 4000
    assert len(loose.tables["downlink_mbps"].groups[-1]) == 2  # all are the same: the fewest groups there are


def test_tables_are_tried_as_a_plain_loop_would():
    rng, seen = np.random.default_rng(0), 60
    context = pd.DataFrame({"a": rng.choice(list("xyz"), 100), "b": rng.choice([1.0, 2.0, np.nan], 100)})
    net, users = rng.normal(size=(100, 3)), rng.integers(0, 9, 40)
    alone, other, both = try_tables((context[:seen], context[seen:]), (net[:seen], net[seen:]), users)
    assert [alone.keys, other.keys, set(both.keys)] == [("a",), ("b",), {"a", "b"}]
    texts, found = context.astype(object).fillna("-"), []
    for keys in (["a", "b"], ["b", "a"]):
        for s in SMOOTHINGS:
            error, earned = 0.0, np.zeros(9)
            for row in range(seen, 100):
                mean = net[:seen].mean(axis=0)
                for depth in (1, 2):
                    same = (texts[keys[:depth]] == texts.loc[row, keys[:depth]]).all(axis=1).to_numpy()[:seen]
                    mean = (net[:seen][same].sum(axis=0) + s * mean) / (same.sum() + s)
                error += ((mean - net[row]) ** 2).sum()
                earned[users[row - seen]] += net[row, np.argmax(mean)]
            found.append((error, tuple(keys), earned))
    _, keys, earned = min(found, key=lambda each: each[0])
    assert both.keys == keys and both.groups == len(context[:seen].drop_duplicates())
    assert both.net == pytest.approx(earned)


# Which views are decided in, what can be changed


def test_where_every_view_shows_a_signal_nothing_is_left_to_predict():
    views = wb.measurements(VIEWS.assign(effective_type="4g", user_id=list("abcd")))
    card = views.attrs["card"]
    with pytest.raises(WorkbenchError, match=r"every view shows a signal by after_accept_ch.*earlier known_by"):
        IMAGES.situations(views, card, "user_id", "after_accept_ch", SCENARIO)
    assert len(IMAGES.situations(views, card, "user_id", "first_request", SCENARIO)) == 4


def test_page_loads_alone_decide_nothing():
    views = wb.measurements(pd.DataFrame({"page_load_ms": np.arange(1.0, 500), "isp": ["a"] * 499}))
    with pytest.raises(WorkbenchError, match="images cannot be decided on this data"):
        wb.study(views)


@pytest.fixture(scope="module")
def world():
    return wb.load("synthetic_measurements", rows=3000)


def changes(views):
    plan = IMAGES.plan(views, SCENARIO, 0)
    return {change.change: change.plan for change in IMAGES.changes(views, plan)}


def test_changes_reach_the_split(world):
    plans = changes(world)
    assert "asn" not in IMAGES.prepare(world, plans["ASN and provider"]).train
    assert "last_rtt_ms" not in IMAGES.prepare(world, plans["user history"]).train
    assert "country" not in IMAGES.prepare(world, plans["place"]).test
    assert IMAGES.prepare(world, plans["no users"]).mask is None
    assert IMAGES.prepare(world, plans["slow users more often"]).mask.slow_biased
    assert IMAGES.prepare(world, plans["by user"]).how == "by user"
    assert IMAGES.prepare(world, plans["networks never seen"]).cluster == "asn"
    assert IMAGES.prepare(world, plans["once JavaScript runs"]).card.known_by == "client_js"


def test_each_group_that_is_known_and_varies_is_left_out_and_a_signal_never(world):
    plan = replace(IMAGES.plan(world, SCENARIO, 0), known_by="first_request")
    left_out = {change.change: change.plan.without for change in IMAGES.changes(world, plan)}
    assert left_out["user agent"] == ("os_family", "os_major", "browser", "browser_major")  # the device is known later
    assert left_out["time of day"] == ("local_hour",)
    left_out = {
        change.change: change.plan.without for change in IMAGES.changes(world, replace(plan, known_by="client_js"))
    }
    assert "device" in left_out["user agent"]
    assert left_out["connection"] == ("connection_type",)  # no NetInfo
    one_country = changes(world.assign(country="FR"))
    assert "place" not in one_country or "country" not in one_country["place"].without


def test_what_was_assumed_low_is_assumed_low(mirror):
    views = wb.load("mobile_bandwidth", rows=500)
    low = IMAGES.prepare(views, changes(views)["rtt_ms 50"])
    assert low.card.assume["rtt_ms"] == (50, 50, 200)


def levels(views, slow=None):
    load = np.zeros((len(views), 1)) if slow is None else slow[:, None].astype(float)
    here = Situations(views, views, np.arange(len(views)), "users", None, "first_request", {"load_ms": load})
    return {title: found.value_counts().to_dict() for title, found in IMAGES.segments(here, SCENARIO).items()}


def test_the_network_is_the_provider_else_the_number():
    views = pd.DataFrame({"asn": ["1"] * 3 + ["2"] * 3, "isp": ["Telia"] * 4 + ["Orange"] * 2})
    assert levels(views)["provider"] == {"Telia": 4, "Orange": 2}
    assert levels(views.assign(isp=None))["network (ASN)"] == {"1": 3, "2": 3}
    assert "provider" not in levels(views[["isp"]].assign(isp=None))


def test_measured_remembered_slow_and_hours():
    views = pd.DataFrame(
        {
            "effective_type": ["4g"] * 150 + [None] * 250,
            "last_age_s": [np.nan] * 300 + [60.0] * 100,
            "local_hour": np.repeat([23.0, 0.0, 5.0, 6.0, 17.0], 80),
        }
    )
    assert levels(views, slow=np.arange(400) < 80) == {
        "NetInfo class": {"measured": 150, "not measured": 250},
        "history": {"measured before": 100, "never before": 300},
        "speed": {"slowest fifth": 80, "all others": 320},
        "local hour": {"00-05 h": 160, "06-11 h": 80, "12-17 h": 80, "18-23 h": 80},
    }
