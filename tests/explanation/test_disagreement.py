"""Where and why model and rule differ: figures by another road, a planted truth, a rule that can be entered."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.datasets.columns import LEVELS
from workbench.decisions import find_decision
from workbench.decisions.chances import ChancePolicy, Lookup, OneOption
from workbench.decisions.decision import Contrast, Unit
from workbench.decisions.option_explain import OptionTreeRule
from workbench.decisions.prefetch.explain import NOTHING, USUAL, PageTreeRule, _pages, _usual
from workbench.decisions.prefetch.rules import Never, PrefetchPolicy
from workbench.explanation import disagreement
from workbench.explanation.base import apply_model
from workbench.explanation.disagreement import (
    NEARLY_EVERYWHERE,
    NOWHERE,
    SAME,
    Pair,
    _compare,
    find_leaves,
    same_answer,
)
from workbench.explanation.surrogate_tree import Among, Between, Conditions

POINTS = Unit("points", "points a view", 1.0, 1)


@pytest.fixture(scope="module")
def split():
    return wb.split_by_user(wb.load("synthetic_measurements", rows=30_000), history=False)


@pytest.fixture(scope="module")
def model(split):
    return wb.train_network_quality(split, max_trees=100)


@pytest.fixture(scope="module")
def table(split):
    return Lookup(("country", "asn")).fit(split.train)


@pytest.fixture(scope="module")
def views(split):
    """More of them than validation alone: the tree needs users on either half."""
    frame = pd.concat([split.calibration, split.validation, split.test])
    return frame.set_axis(range(len(frame)))


@pytest.fixture(scope="module")
def found(model, table, views):
    return disagreement(model, table, views)


@pytest.fixture(scope="module")
def site():
    return wb.split_by_time(wb.load("synthetic_navigations", rows=8000))


@pytest.fixture(scope="module")
def next_page(site):
    return wb.train_next_page(site)


@pytest.fixture(scope="module")
def markov(site):
    return replace(next(rule for rule in wb.rules(site) if rule.name == "first-order Markov"), limit=0.3)


@pytest.fixture(scope="module")
def pages(next_page, markov, site):
    return disagreement(PrefetchPolicy(next_page, limit=0.1), markov, site.train)


both = pytest.mark.parametrize("kind", ["found", "pages"])


@pytest.fixture
def result(kind, request):
    return request.getfixturevalue(kind)


def unseen_half(users):
    everybody = np.random.default_rng(0).permutation(np.unique(users))
    return ~np.isin(users, everybody[: len(everybody) // 2])


# ------------------------------------------------------------------------------------------------- figures


def test_directions_equal_a_plain_loop(found, model, table, views):
    here = apply_model(model, views)
    ours, theirs = here.ask(), here.ask(table)
    net, names, users = here.net(ours) - here.net(theirs), wb.ImageScenario().options, here.users
    checked = 0
    for row in found.directions.itertuples():
        if row.direction == SAME or "few" in row.direction:
            continue
        inside = [f"rule {names[t]}, model {names[o]}" == row.direction for o, t in zip(ours, theirs, strict=True)]
        assert row.views == sum(inside)
        assert row.users == len(set(users[inside])) >= 20
        assert row.net == pytest.approx(net[inside].mean())
        assert row.model_right == pytest.approx((net[inside] > 0).mean())
        assert row.rule_right == pytest.approx((net[inside] < 0).mean())
        assert row.contribution == pytest.approx(net[inside].sum() / len(net))
        assert row.net_low <= row.net <= row.net_high
        checked += 1
    assert checked and found.difference.low > 0


@both
def test_contributions_add_up_and_shares_are_whole(result):
    table = result.directions
    assert table["contribution"].sum() == pytest.approx(result.difference.estimate, abs=0.02 * table["net"].abs().max())
    assert table["share"].sum() == pytest.approx(1, abs=0.02)
    assert (table[["model_right", "rule_right", "equal"]].sum(axis=1)).to_numpy() == pytest.approx(1)
    assert (table["users"] >= 20).all()


@both
def test_leaves_are_measured_on_users_that_the_tree_did_not_see(result):
    assert result.leaves
    assert all(leaf.users >= 20 and 0 < leaf.coverage < 1 for leaf in result.leaves)
    covered = sum(leaf.coverage for leaf in result.leaves) + (result.elsewhere.coverage if result.elsewhere else 0)
    assert covered == pytest.approx(1)
    assert sum(leaf.views for leaf in result.leaves) < 0.6 * result.views


def test_a_leafs_figures_equal_a_plain_count(found, model, table, views):
    pair = _compare(apply_model(model, views), table)
    unseen = unseen_half(pair.users)
    for leaf in found.leaves:
        inside = leaf.conditions(pair.contrast.facts) & unseen
        assert leaf.coverage == pytest.approx(inside.sum() / unseen.sum())
        assert leaf.precision == pytest.approx((pair.contrast.way[inside] == leaf.way).mean())
        assert leaf.net.estimate == pytest.approx(pair.difference[inside].mean())


@pytest.mark.parametrize(("system", "fast_late"), [("iOS", False), ("Android", True)])
def test_leaves_have_the_planted_signs(model, table, views, system, fast_late):
    """iOS meets congestion in the evening, Android at other hours (datasets/synthetic_facts.py)."""
    found = disagreement(model, table, views[views["os_family"] == system])
    hours = []
    for leaf in found.leaves:
        hour = next((part for part in leaf.conditions.parts if part.fact == "local hour"), None)
        if hour and leaf.way == "the model sends larger images" and leaf.precision > 0.2:
            hours.append(hour.above >= 12 if fast_late else hour.up_to <= 18)
            assert leaf.net.estimate > 0
    assert hours and all(hours)


def test_windows_is_never_congested(model, table, views):
    found = disagreement(model, table, views[views["os_family"] == "Windows"])
    assert found.leaves[0].way == "the model sends larger images" and found.leaves[0].precision > 0.5
    assert found.leaves[0].net.low > 0


@both
def test_each_leaf_reads_as_a_sentence_and_as_a_branch(result):
    for leaf in result.leaves:
        assert leaf.sentence.startswith("Where the rule ")
        assert leaf.sentence.replace("&", "&amp;").split("'")[0] in result._repr_html_()
        if leaf.action:
            assert f"if {leaf.conditions}: {leaf.action}" in str(result.rule)
    text = " ".join(result.sentences)
    assert "Exploratory" in text
    assert not any(word in text for word in ("better", "worse", "equivalent", "inconclusive"))
    assert str(result.rule).endswith(f"else: as {result.rule_name} does")


@both
def test_names_from_data_are_escaped(result):
    assert "<script>" not in replace(result, rule_name="<script>alert(1)</script>")._repr_html_()


def test_no_outcome_enters_the_tree(found, model, table, views):
    """Whatever the views measured, leaves, coverage and precision are the same; only the net is another."""
    order = np.random.default_rng(1).permutation(len(views))
    mixed = views.assign(**{name: views[name].to_numpy()[order] for name in ("rtt_ms", "downlink_mbps")})
    other = disagreement(model, table, mixed)
    told = [[(x.conditions, x.action, x.coverage, x.precision) for x in each.leaves] for each in (found, other)]
    assert told[0] == told[1]
    assert [x.net for x in other.leaves] != [x.net for x in found.leaves]


def test_answers_are_compared_view_by_view():
    site = wb.load("synthetic_navigations", rows=300)
    card = site.attrs["card"]
    decision = find_decision(name="prefetch")
    there = decision.situations(site, card, "user_id", "client_js", wb.PrefetchScenario())
    view = site["view_id"].to_numpy()[:3]
    one = pd.DataFrame({"view_id": view[[0, 0, 1]], "page": ["a", "b", "a"], "rank": [1, 2, 1]})
    other = pd.DataFrame({"view_id": view[[0, 0, 2]], "page": ["b", "a", "a"], "rank": [1, 2, 1]})
    assert same_answer(one, other, there)[:4].tolist() == [True, False, False, True]
    assert same_answer(np.array([0, 1]), np.array([0, 2]), there).tolist() == [True, False]


# ------------------------------------------------------------------------------------------ the tree as a rule


def test_the_rule_is_measured_on_the_other_half(found, model, table, views):
    here = apply_model(model, views)
    unseen = unseen_half(here.users)
    tree, base, ours = (here.net(here.ask(policy))[unseen].mean() for policy in (found.rule, table, None))
    assert found.gains["rule over base"].estimate == pytest.approx(tree - base)
    assert found.gains["model over rule"].estimate == pytest.approx(ours - tree)
    assert found.gains["model over base"].estimate == pytest.approx(ours - base)
    assert f"{found.gains['rule over base'].estimate:+.1f}" in " ".join(found.sentences)


def test_a_comparison_takes_it(found, model, split):
    compared = wb.compare(split, model, rules=[*wb.rules(split), found.rule])
    assert compared.of(found.rule.name).available and compared.of(found.rule.name).kilobytes > 0
    other = next(level for level in LEVELS if level != model.known_by)
    with pytest.raises(wb.WorkbenchError, match="was fitted on what is known by"):
        wb.compare(split, model, rules=[replace(found.rule, known_by=other)])


def test_a_comparison_of_pages_takes_it(pages, next_page, site):
    assert wb.compare(site, next_page, rules=[*wb.rules(site), pages.rule]).of(pages.rule.name).available


def test_a_rule_of_options_does_as_it_reads(split):
    rule = OptionTreeRule(
        OneOption("medium"),
        (
            (Conditions((Among("operating system", ("iOS",)), Between("local hour", above=16, whole=True))), "small"),
            (Conditions((Among("the rule sends", ("medium",)), Among("operating system", ("Android",)))), "large"),
        ),
        split.card,
        "first_request",
        find_decision(name="images"),
    )
    context = pd.DataFrame({"os_family": ["iOS", "iOS", "Android", None], "local_hour": [17.0, 16.0, 20.0, 20.0]})
    assert rule(context, wb.ImageScenario()).tolist() == ["small", "medium", "large", "medium"]
    assert str(rule).splitlines() == [
        "if operating system is iOS and local hour is 17 or more: small",
        "elif the rule sends medium and operating system is Android: large",
        "else: as always medium does",
    ]


def test_a_rule_of_pages_does_as_it_reads(site):
    fetches = {
        "a, b, c": _pages(("a", "b", "c")),
        USUAL: lambda context, top, scenario: _usual(context),
        NOTHING: lambda context, top, scenario: Never()(context),
    }
    branches = (
        (Conditions((Among("page", ("a",)),)), "a, b, c"),
        (Conditions((Among("page before", ("a",)),)), USUAL),
        (Conditions((Among("page", ("c",)),)), NOTHING),
    )
    rule = PageTreeRule(Never(), branches, site.card, "client_js", fetches)
    context = pd.DataFrame(
        {
            "view_id": [1, 2, 3, 4],
            "session_id": [0, 0, 0, 1],
            "position": [0, 1, 2, 0],
            "page": list("abca"),
            "usual_next": ["b", "d", None, None],
        }
    )
    answer = rule(context, wb.PrefetchScenario()).sort_values(["view_id", "rank"])
    assert answer[["view_id", "page"]].to_numpy().tolist() == [[1, "b"], [1, "c"], [2, "d"], [4, "b"], [4, "c"]]
    assert answer["rank"].tolist() == [1, 2, 1, 1, 2]


# ---------------------------------------------------------------------------------- where there is little to say

ROWS = 2000


def planted(differs, users=None, **facts):
    """The rule sends large images to all; the model smaller ones in some views."""
    large = np.full(len(differs), "large", object)
    way = np.where(differs, "the model sends smaller images", "").astype(object)
    does = {"the rule sends": large, **facts}
    contrast = Contrast(way, way, pd.DataFrame(does), large, {}, lambda branches: None)
    users = np.arange(len(differs)) // 4 if users is None else users
    return Pair(contrast, users, differs.astype(float), np.zeros(len(differs)), {"large": ~differs})


def leaves_of(pair):
    return find_leaves(pair, pair.users % 2 == 0, POINTS)


def test_where_they_differ_in_most_views_a_leaf_where_they_always_do_is_kept():
    rng = np.random.default_rng(0)
    page = rng.choice(["a", "b"], ROWS).astype(object)
    (leaf,), elsewhere = leaves_of(planted((page == "a") | (rng.random(ROWS) < 0.8), page=page))
    assert "page is a" in leaf.condition.replace("not b", "a")
    assert leaf.precision == 1
    assert elsewhere.precision == pytest.approx(0.8, abs=0.05)


def test_a_leaf_of_all_views_that_is_no_candidate_says_nothing():
    leaves, elsewhere = leaves_of(planted(np.ones(ROWS, bool), page=np.resize(np.array(["a", "b"], object), ROWS)))
    assert leaves == ()
    assert (elsewhere.coverage, elsewhere.precision) == (1, 1)


def test_a_leaf_of_a_twentieth_is_found():
    rng = np.random.default_rng(0)
    page = rng.choice(["rare", "a", "b"], 20_000, p=[0.05, 0.55, 0.4]).astype(object)
    (leaf,), _ = leaves_of(planted(page == "rare", page=page))
    assert leaf.condition == "the rule sends large and page is rare"
    assert leaf.coverage == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize("limit", [1.0, 4.0])
def test_where_they_never_differ_there_is_one_sentence(model, split, limit):
    policy = ChancePolicy(model, limit=limit, assume={})
    same = disagreement(policy, policy, split.validation)
    assert len(same.sentences) == 1 and f"all {same.views:,} views" in same.sentences[0]
    assert (same.leaves, same.rule, same.share.estimate) == ((), None, 0)


def test_where_few_differ_no_tree_is_grown(model, split):
    people = split.validation["user_id"].unique()[:30]
    little = disagreement(model, OneOption("small"), split.validation[split.validation["user_id"].isin(people)])
    assert little.leaves == () and little.rule is None
    assert "20 in each of its two halves" in little.no_tree and little.no_tree in repr(little)


def test_where_they_differ_nearly_everywhere_it_says_so(next_page, site):
    everywhere = disagreement(PrefetchPolicy(next_page, limit=0.03), Never(), site.validation)
    assert everywhere.share.estimate > 0.99
    assert NOWHERE not in repr(everywhere)
    assert everywhere.leaves or NEARLY_EVERYWHERE in repr(everywhere)


def test_the_same_seed_gives_the_same(pages, next_page, markov, site):
    policy = PrefetchPolicy(next_page, limit=0.1)
    assert disagreement(policy, markov, site.train).sentences == pages.sentences
    assert disagreement(policy, markov, site.train, seed=3).sentences != pages.sentences


def test_the_finding_says_how_often_they_differ_and_no_net(found):
    share, most = f"{100 * found.share.estimate:.0f} %", found.directions["direction"].iloc[0]
    assert share in found.finding and most in found.finding and "points" not in found.finding


@pytest.mark.parametrize("rule", ["best_rule", None])
def test_what_is_no_rule_is_refused(model, split, rule):
    with pytest.raises(wb.WorkbenchError, match="expected a rule, which is a callable"):
        disagreement(model, rule, split.validation)


def test_a_rule_that_is_not_available_is_refused_with_the_reason(model, split, next_page, site):
    """The column that it needs is known too late, is empty, or is none of the data."""
    late = Lookup(("connection_type", "isp"), known_by="client_js").fit(split.train)
    with pytest.raises(wb.WorkbenchError, match="connection_type is known by client_js"):
        disagreement(model, late, split.validation)
    unknown = split.validation.assign(isp=pd.Series(None, split.validation.index, dtype="str"))
    with pytest.raises(wb.WorkbenchError, match="have no isp"):
        disagreement(model, Lookup(("isp",)).fit(split.train), unknown)
    priced = wb.needs("price")(lambda context: context["price"])
    with pytest.raises(wb.WorkbenchError, match="have no price"):
        disagreement(next_page, priced, site.validation)


def test_of_fewer_than_20_users_nothing_is_said(model, table, split):
    few = split.validation[split.validation["user_id"].isin(split.validation["user_id"].unique()[:5])]
    with pytest.raises(wb.WorkbenchError, match=r"at least 20 users; got .* of 5"):
        disagreement(model, table, few)
