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
from workbench.decisions.prefetch.markov import Markov
from workbench.decisions.prefetch.rules import Never, PrefetchPolicy
from workbench.explanation import disagreement
from workbench.explanation.base import apply_model
from workbench.explanation.disagreement import NEARLY_EVERYWHERE, NOWHERE, SAME, Pair, compare, find_leaves
from workbench.explanation.surrogate_tree import Among, Between, Conditions

POINTS = Unit("points", "points a view", 1.0, 1)


@pytest.fixture(scope="module")
def split():
    return wb.split_by_user(wb.load("synthetic_measurements", rows=40_000), history=False)


@pytest.fixture(scope="module")
def model(split):
    return wb.train_network_quality(split, known_by="first_request", max_trees=400)


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
def markov(small_site):
    return Markov(order=1, limit=0.3).fit(small_site.train)


@pytest.fixture(scope="module")
def pages(small_site_model, markov, small_site):
    return disagreement(PrefetchPolicy(small_site_model, limit=0.1), markov, small_site.train)


@pytest.fixture(params=["found", "pages"])
def result(request):
    return request.getfixturevalue(request.param)


def test_figures_equal_a_plain_loop(found, model, table, views):
    here = apply_model(model, views)
    ours, theirs = here.ask(), here.ask(table)
    net, names, users = here.net(ours) - here.net(theirs), wb.ImageScenario().options, here.users
    checked = 0
    for row in found.directions.itertuples():
        if row.direction == SAME or "few" in row.direction:
            continue
        inside = [f"rule {names[t]}, model {names[o]}" == row.direction for o, t in zip(ours, theirs, strict=True)]
        assert row.views == sum(inside) and row.users == len(set(users[inside])) >= 20
        assert row.net == pytest.approx(net[inside].mean())
        assert row.model_right == pytest.approx((net[inside] > 0).mean())
        assert row.rule_right == pytest.approx((net[inside] < 0).mean())
        assert row.contribution == pytest.approx(net[inside].sum() / len(net))
        assert row.net_low <= row.net <= row.net_high
        checked += 1
    assert checked and found.difference.low > 0
    everybody = np.random.default_rng(0).permutation(np.unique(users))
    unseen = ~np.isin(users, everybody[: len(everybody) // 2])
    facts, way = (getattr(compare(here, table, seed=0).contrast, name) for name in ("facts", "way"))
    for leaf in found.leaves:
        inside = leaf.conditions(facts) & unseen
        assert leaf.coverage == pytest.approx(inside.sum() / unseen.sum())
        assert leaf.precision == pytest.approx((way[inside] == leaf.way).mean())
        assert leaf.net.estimate == pytest.approx(net[inside].mean())
    tree, base, model_net = (here.net(here.ask(policy))[unseen].mean() for policy in (found.rule, table, None))
    assert found.gains["rule over base"].estimate == pytest.approx(tree - base)
    assert found.gains["model over rule"].estimate == pytest.approx(model_net - tree)
    assert found.gains["model over base"].estimate == pytest.approx(model_net - base)
    assert f"{found.gains['rule over base'].estimate:+.1f}" in " ".join(found.sentences)


def test_contributions_add_up_and_shares_are_whole(result):
    directions = result.directions
    largest = directions["net"].abs().max()
    assert directions["contribution"].sum() == pytest.approx(result.difference.estimate, abs=0.02 * largest)
    assert directions["share"].sum() == pytest.approx(1, abs=0.02)
    assert (directions[["model_right", "rule_right", "equal"]].sum(axis=1)).to_numpy() == pytest.approx(1)
    assert (directions["users"] >= 20).all() and result.to_frame()["net"].notna().all()
    assert result.leaves and all(leaf.users >= 20 and 0 < leaf.coverage < 1 for leaf in result.leaves)
    covered = sum(leaf.coverage for leaf in result.leaves) + (result.elsewhere.coverage if result.elsewhere else 0)
    assert covered == pytest.approx(1)
    assert sum(leaf.views for leaf in result.leaves) < 0.6 * result.views  # of users that the tree did not see


def test_leaves_have_the_planted_signs(model, table, views):
    """iOS meets congestion in the evening, all other systems at other hours (datasets/synthetic_facts.py)."""
    leaves = {
        system: disagreement(model, table, views[views["os_family"] == system]).leaves
        for system in ("iOS", "Android", "Windows")
    }
    for system, found in leaves.items():
        hours = []
        for leaf in found:
            hour = next((part for part in leaf.conditions.parts if part.fact == "local hour"), None)
            if hour and leaf.way == "the model sends larger images" and leaf.precision > 0.1:
                hours.append(hour.up_to <= 18 if system == "iOS" else hour.above >= 12)
                assert leaf.net.estimate > 0
        assert hours and all(hours)


def test_each_leaf_reads_as_a_sentence_and_as_a_branch(result):
    for leaf in result.leaves:
        assert leaf.sentence.startswith("Where the rule ")
        assert leaf.sentence.replace("&", "&amp;").split("'")[0] in result._repr_html_()
        if leaf.action:
            assert f"if {leaf.conditions}: {leaf.action}" in str(result.rule)
    text = " ".join(result.sentences)
    assert "Exploratory" in text
    assert not any(word in text for word in ("better", "worse", "equivalent", "inconclusive"))
    assert str(result.rule).endswith(f"else: as {result.rule_name} does") and str(result.rule) in repr(result)
    share, most = f"{100 * result.share.estimate:.0f} %", result.directions["direction"].iloc[0]
    assert share in result.finding and (most == SAME or most in result.finding)
    assert result.unit.name not in result.finding  # no net: it would be taken for the verdict's
    assert "<script>" not in replace(result, rule_name="<script>alert(1)</script>")._repr_html_()


def test_no_outcome_enters_the_tree(found, model, table, views):
    """Whatever the views measured, leaves, coverage and precision are the same; only the net is another."""
    order = np.random.default_rng(1).permutation(len(views))
    mixed = views.assign(**{name: views[name].to_numpy()[order] for name in ("rtt_ms", "downlink_mbps")})
    other = disagreement(model, table, mixed)
    one, same = ([(x.conditions, x.action, x.coverage, x.precision) for x in each.leaves] for each in (found, other))
    assert one == same and [x.net for x in other.leaves] != [x.net for x in found.leaves]


def test_actions_are_compared_view_by_view_whatever_the_order_of_pages(small_site, small_site_model):
    """A model that fetches the same pages in another order agrees with the rule."""
    applied = apply_model(small_site_model, small_site.validation, wb.PrefetchScenario(break_even=0.4))
    ours = applied.ask()
    turned = ours.assign(rank=ours.groupby("view_id")["rank"].transform(lambda rank: rank[::-1].to_numpy()))
    contrast = applied.decision.contrast(ours, turned, Never(), applied.situations, applied.scenario)
    assert (contrast.way == "").all()
    nothing = ~applied.situations.frame["view_id"].isin(ours["view_id"]).to_numpy()
    assert (contrast.agrees[NOTHING] == nothing).all() and 0 < nothing.sum() < len(nothing)


def test_a_comparison_of_pages_takes_it(pages, small_site, small_site_model):
    assert wb.compare(small_site, small_site_model, rules=[Never(), pages.rule]).of(pages.rule.name).available


def test_a_comparison_takes_the_tree_as_a_rule(found, few, few_model):
    compared = wb.compare(few, few_model, rules=[OneOption("small"), found.rule])
    assert compared.of(found.rule.name).available and compared.of(found.rule.name).kilobytes > 0
    other = next(level for level in LEVELS if level != few_model.known_by)
    with pytest.raises(wb.WorkbenchError, match="was fitted on what is known by"):
        wb.compare(few, few_model, rules=[replace(found.rule, known_by=other)])


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


def test_a_rule_of_pages_does_as_it_reads(small_site):
    fetches = {
        "a, b, c": lambda *asked: _pages(("a", "b", "c"), *asked),
        USUAL: lambda context, top, scenario: _usual(context),
        NOTHING: lambda context, top, scenario: Never()(context),
    }
    branches = (
        (Conditions((Among("page", ("a",)),)), "a, b, c"),
        (Conditions((Among("page before", ("a",)),)), USUAL),
        (Conditions((Among("page", ("c",)),)), NOTHING),
    )
    rule = PageTreeRule(Never(), branches, small_site.card, "client_js", fetches)
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


ROWS = 2000


def planted(differs, **facts):
    """The rule sends large images to all; the model smaller ones in some views."""
    large = np.full(len(differs), "large", object)
    way = np.where(differs, "the model sends smaller images", "").astype(object)
    facts = pd.DataFrame({"the rule sends": large, **facts})
    contrast = Contrast(way, way, facts, large, {"large": ~differs}, lambda branches: None)
    users = np.arange(len(differs)) // 4
    return Pair(contrast, users, users % 2 == 0, differs.astype(float), np.zeros(len(differs)), POINTS)


def test_where_they_differ_in_most_views_a_leaf_where_they_always_do_is_kept():
    rng = np.random.default_rng(0)
    page = rng.choice(["a", "b"], ROWS).astype(object)
    (leaf,), elsewhere = find_leaves(planted((page == "a") | (rng.random(ROWS) < 0.8), page=page))
    assert "page is a" in leaf.condition.replace("not b", "a") and leaf.precision == 1
    assert elsewhere.precision == pytest.approx(0.8, abs=0.05)
    assert elsewhere.sentence.startswith("Everywhere else") and "they differ" in elsewhere.sentence


def test_a_leaf_of_all_views_that_is_no_candidate_says_nothing():
    leaves, elsewhere = find_leaves(planted(np.ones(ROWS, bool), page=np.resize(np.array(["a", "b"], object), ROWS)))
    assert leaves == () and (elsewhere.coverage, elsewhere.precision) == (1, 1)


def test_a_leaf_of_a_twentieth_is_found():
    rng = np.random.default_rng(0)
    page = rng.choice(["rare", "a", "b"], 20_000, p=[0.05, 0.55, 0.4]).astype(object)
    (leaf,), _ = find_leaves(planted(page == "rare", page=page))
    assert leaf.condition == "the rule sends large and page is rare"
    assert leaf.coverage == pytest.approx(0.05, abs=0.01)


def test_where_they_never_differ_there_is_one_sentence(model, split):
    policy = ChancePolicy(model, limit=4.0, assume={})
    same = disagreement(policy, policy, split.validation.head(500))
    assert len(same.sentences) == 1 and f"all {same.views:,} views" in same.sentences[0]
    assert same.sentences[0] in repr(same) and "the same everywhere" in same.finding
    assert (same.leaves, same.rule, same.share.estimate) == ((), None, 0)


def test_where_few_differ_no_tree_is_grown(model, split):
    people = split.validation["user_id"].unique()[:30]
    little = disagreement(model, OneOption("small"), split.validation[split.validation["user_id"].isin(people)])
    assert little.leaves == () and little.rule is None
    assert "20 in each of its two halves" in little.no_tree and little.no_tree in repr(little)


def test_where_they_differ_nearly_everywhere_it_says_so(small_site_model, small_site):
    everywhere = disagreement(PrefetchPolicy(small_site_model, limit=0.03), Never(), small_site.validation)
    assert everywhere.share.estimate > 0.99 and NOWHERE not in repr(everywhere)
    assert everywhere.leaves or NEARLY_EVERYWHERE in repr(everywhere)


def test_the_same_seed_gives_the_same(few_model, few):
    one, same, other = (disagreement(few_model, OneOption("medium"), few.test, seed=seed) for seed in (0, 0, 3))
    assert same.sentences == one.sentences != other.sentences


def test_a_rule_that_is_none_or_not_available_is_refused_with_the_reason(model, split, small_site_model, small_site):
    """The column that it needs is known too late, is empty, or is none of the data."""
    with pytest.raises(
        wb.WorkbenchError, match=r"rule\): expected a rule, such as result\.best_rule.*; got \'best_rule\'"
    ):
        disagreement(model, "best_rule", split.validation)
    few = split.validation[split.validation["user_id"].isin(split.validation["user_id"].unique()[:5])]
    with pytest.raises(wb.WorkbenchError, match=r"at least 20 users; got .* of 5"):
        disagreement(model, OneOption("small"), few)
    late = Lookup(("connection_type", "isp"), known_by="client_js").fit(split.train)
    with pytest.raises(wb.WorkbenchError, match="connection_type is known only once JavaScript runs"):
        disagreement(model, late, split.validation)
    unknown = split.validation.assign(isp=pd.Series(None, split.validation.index, dtype="str"))
    with pytest.raises(wb.WorkbenchError, match="have no isp"):
        disagreement(model, Lookup(("isp",)).fit(split.train), unknown)
    priced = wb.needs("price")(lambda context: context["price"])
    with pytest.raises(wb.WorkbenchError, match="price is not context"):
        disagreement(small_site_model, priced, small_site.validation)
