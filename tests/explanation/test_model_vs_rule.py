"""Why model and rule disagree: figures by another road, a planted truth, a rule that can be entered, no peeking."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from workbench.explanation.acting import act_on
from workbench.explanation.model_vs_rule import NEARLY_EVERYWHERE, NOWHERE, disagreement
from workbench.explanation.parting_conditions import Among, Between, belongs
from workbench.explanation.parting_rule import FETCH_NOTHING, FETCH_USUAL, ImageTreeRule, PageTreeRule
from workbench.explanation.parting_views import SAME, pages_in_words, side_by_side

import workbench as wb
from workbench.datasets.columns import LEVELS
from workbench.datasets.splits import users_of
from workbench.decisions.images.rules import NETWORK_KEYS, ChancePolicy, Lookup, OneOption
from workbench.decisions.prefetch.rules import Never, PrefetchPolicy


@pytest.fixture(scope="module")
def split():
    return wb.split_by_user(wb.load("synthetic_measurements", rows=30_000), history=False)


@pytest.fixture(scope="module")
def model(split):
    return wb.train_network_quality(split, max_trees=100)


@pytest.fixture(scope="module")
def table(split):
    return Lookup(NETWORK_KEYS).fit(split.train)


@pytest.fixture(scope="module")
def views(split):
    """More of them than validation alone: the tree needs users on either half."""
    return pd.concat([split.calibration, split.validation, split.test])


@pytest.fixture(scope="module")
def found(model, table, split, views):
    return disagreement(model, table, views.set_axis(range(len(views))))


@pytest.fixture(scope="module")
def site():
    return wb.split_by_time(wb.load("synthetic_navigations", rows=8000))


@pytest.fixture(scope="module")
def next_page(site):
    return wb.train_next_page(site)


@pytest.fixture(scope="module")
def markov(site):
    rules = wb.rules(site)
    return replace(next(rule for rule in rules if rule.name == "first-order Markov"), limit=0.3)


@pytest.fixture(scope="module")
def pages(next_page, markov, site):
    return disagreement(PrefetchPolicy(next_page, limit=0.1), markov, site.train)


both = pytest.mark.parametrize("kind", ["found", "pages"])


@pytest.fixture
def result(kind, request):
    return request.getfixturevalue(kind)


# What is told


def test_the_planted_interaction_is_found_with_its_sign(found):
    """iOS meets congestion in the evening, Android at other hours (datasets/synthetic_network_facts.py)."""
    signs = []
    for leaf in (leaf for leaf in found.leaves if leaf.precision > 0.5):
        facts = {condition.fact: condition for condition in leaf.conditions}
        system, hour = facts.get("operating system"), facts.get("local hour")
        if system and hour and system.inside and system.levels in (("iOS",), ("Android",)):
            congested = (hour.above >= 15) == (system.levels == ("iOS",))
            signs.append(("smaller" in leaf.way) == congested)
            assert leaf.net.estimate > 0
    assert signs and all(signs)
    assert found.difference.low > 0


def test_directions_equal_a_plain_loop(found, model, table, views):
    here = act_on(model, views)
    ours, theirs = here.ask(here.ours), here.ask(table)
    net = here.net(ours) - here.net(theirs)
    names = wb.ImageScenario().ladder.names
    users = users_of(here.frame)
    for row in found.directions.itertuples():
        if row.direction == SAME or "few" in row.direction:
            continue
        said = [f"rule {names[t]}, model {names[o]}" == row.direction for o, t in zip(ours, theirs, strict=True)]
        assert row.views == sum(said)
        assert row.users == len(set(users[said])) >= 20
        assert row.net == pytest.approx(net[said].mean())
        assert row.model_right == pytest.approx((net[said] > 0).mean())
        assert row.rule_right == pytest.approx((net[said] < 0).mean())
        assert row.contribution == pytest.approx(net[said].sum() / len(net))
        assert row.net_low <= row.net <= row.net_high


@both
def test_contributions_add_up_and_shares_are_whole(result):
    table = result.directions
    assert table["contribution"].sum() == pytest.approx(result.difference.estimate, abs=0.02 * table["net"].abs().max())
    assert table["share"].sum() == pytest.approx(1, abs=0.02)
    assert (table[["model_right", "rule_right", "equal"]].sum(axis=1)).to_numpy() == pytest.approx(1)
    assert (table["users"] >= 20).all()


@both
def test_leaves_are_told_on_users_that_the_tree_did_not_see(result):
    assert all(leaf.users >= 20 and 0 < leaf.coverage < 1 for leaf in result.leaves)
    covered = sum(leaf.coverage for leaf in result.leaves) + (result.elsewhere.coverage if result.elsewhere else 0)
    assert covered == pytest.approx(1)
    assert sum(leaf.views for leaf in result.leaves) < 0.6 * result.views


def test_a_leafs_figures_equal_a_plain_count(found, model, table, views):
    parting = side_by_side(act_on(model, views), table)
    everybody = np.random.default_rng(0).permutation(np.unique(parting.acting.users))
    told = ~np.isin(parting.acting.users, everybody[: len(everybody) // 2])
    for leaf in found.leaves:
        inside = belongs(leaf.conditions, parting.facts) & told
        assert leaf.coverage == pytest.approx(inside.sum() / told.sum())
        assert leaf.precision == pytest.approx((parting.way[inside] == leaf.way).mean())
        assert leaf.net.estimate == pytest.approx(parting.difference[inside].mean())


@both
def test_each_leaf_reads_as_a_sentence_and_as_a_rule(result):
    text = str(result)
    for leaf in result.leaves:
        assert leaf.sentence.startswith("Where the rule ")
        assert leaf.sentence in text
        assert bool(leaf.as_rule) == (leaf.action is not None)
        if leaf.action:
            assert leaf.as_rule in str(result.rule)
    assert "Exploratory" in text and "A/B test" in text
    assert not any(word in text for word in ("better", "worse", "equivalent", "inconclusive"))
    assert str(result.rule).endswith(f"else: as {result.rule_name} does") if result.rule else True


@both
def test_names_from_data_are_escaped(result):
    odd = replace(result, rule_name="<script>alert(1)</script>")
    assert "<script>" not in odd._repr_html_()


@both
def test_shap_values_that_separate_come_with_intervals(result):
    table = result.separating
    assert (table["low"] <= table["difference"]).all() and (table["difference"] <= table["high"]).all()
    assert table["difference"].to_numpy() == pytest.approx((table["there"] - table["where alike"]).to_numpy())
    assert "the question itself" not in set(table["feature"])
    assert "log-odds" in table.attrs["question"]


def test_no_outcome_enters_the_tree(found, model, table, views):
    """Whatever the views measured, leaves, coverage and precision are the same; only the net is another."""
    mixed = views.set_axis(range(len(views)))
    order = np.random.default_rng(1).permutation(len(views))
    mixed = mixed.assign(**{name: mixed[name].to_numpy()[order] for name in ("rtt_ms", "downlink_mbps")})
    other = disagreement(model, table, mixed)
    assert [(x.conditions, x.action, x.coverage, x.precision) for x in other.leaves] == [
        (x.conditions, x.action, x.coverage, x.precision) for x in found.leaves
    ]
    assert [x.net for x in other.leaves] != [x.net for x in found.leaves]


# The tree as a rule


def test_the_tree_as_a_rule_is_entered_on_the_other_half(found, model, table, views):
    here = act_on(model, views)
    everybody = np.random.default_rng(0).permutation(np.unique(here.users))
    told = ~np.isin(here.users, everybody[: len(everybody) // 2])
    tree, base, ours = (here.net(here.ask(policy))[told].mean() for policy in (found.rule, table, here.ours))
    assert found.gains["rule over base"].estimate == pytest.approx(tree - base)
    assert found.gains["model over rule"].estimate == pytest.approx(ours - tree)
    assert found.gains["model over base"].estimate == pytest.approx(ours - base)
    assert f"{found.gains['rule over base'].estimate:+.1f}" in str(found)


def test_a_comparison_of_images_takes_it(found, model, split):
    rules = [*wb.rules(split), found.rule]
    compared = wb.compare(split, model, rules=rules)
    assert compared.of(found.rule.name).available
    assert compared.of(found.rule.name).kilobytes > 0
    other = next(level for level in LEVELS if level != model.known_by)
    with pytest.raises(wb.WorkbenchError, match="was fitted on what is known by"):
        wb.compare(split, model, rules=[replace(found.rule, known_by=other)])


def test_a_comparison_of_prefetching_takes_it(pages, next_page, site):
    compared = wb.compare(site, next_page, rules=[*wb.rules(site), pages.rule])
    assert compared.of(pages.rule.name).available


def test_an_image_rule_does_as_it_reads():
    rule = ImageTreeRule(
        OneOption("medium"),
        (
            ((Among("operating system", ("iOS",)), Between("local hour", above=16, whole=True)), "small"),
            ((Among("the rule sends", ("medium",)), Among("operating system", ("Android",))), "large"),
        ),
    )
    context = pd.DataFrame({"os_family": ["iOS", "iOS", "Android", None], "local_hour": [17.0, 16.0, 20.0, 20.0]})
    assert rule(context, wb.ImageScenario()).tolist() == ["small", "medium", "large", "medium"]
    assert str(rule).splitlines() == [
        "if operating system is iOS and local hour is 17 or more: small",
        "elif the rule sends medium and operating system is Android: large",
        "else: as always medium does",
    ]
    assert rule.name == "always medium + tree of disagreement"


def test_a_page_rule_does_as_it_reads():
    rule = PageTreeRule(
        Never(),
        (
            ((Among("page", ("a",)),), ("a", "b", "c")),
            ((Among("page before", ("a",)),), FETCH_USUAL),
            ((Among("page", ("c",)),), FETCH_NOTHING),
        ),
    )
    context = pd.DataFrame(
        {
            "view_id": [1, 2, 3, 4],
            "session_id": [0, 0, 0, 1],
            "position": [0, 1, 2, 0],
            "page": list("abca"),
            "usual_next": ["b", "d", None, None],
        }
    )
    answer = rule(context, wb.PrefetchScenario())
    assert pages_in_words(answer, context["view_id"].to_numpy()).tolist() == ["b\nc", "d", "nothing", "b\nc"]
    assert answer["rank"].tolist() == [1, 1, 2, 2, 1]


# Where there is little or nothing to tell


@pytest.mark.parametrize("limit", [1.0, 4.0])
def test_where_they_never_part_there_is_one_sentence(model, split, limit):
    policy = ChancePolicy(model, limit=limit, assume={})
    same = disagreement(policy, policy, split.validation)
    assert same.sentences == [f"Model and rule (model) do the same in all {same.views:,} views."]
    assert (same.leaves, same.rule, len(same.separating)) == ((), None, 0)
    assert same.share.estimate == 0
    assert same.finding == "Model and rule do the same everywhere"
    assert same.written == same.sentences[0]


def test_where_few_people_part_no_tree_is_grown(model, split):
    people = split.validation["user_id"].unique()[:30]
    little = disagreement(model, OneOption("small"), split.validation[split.validation["user_id"].isin(people)])
    assert little.leaves == () and little.rule is None
    assert "too few users to say where: a tree needs 20 of them in each of its two halves" in str(little)


def test_the_same_seed_tells_the_same(pages, next_page, markov, site):
    policy = PrefetchPolicy(next_page, limit=0.1)
    assert disagreement(policy, markov, site.train).sentences == pages.sentences
    assert disagreement(policy, markov, site.train, seed=3).sentences != pages.sentences


@pytest.mark.parametrize("rule", ["best_rule", None])
def test_what_is_no_rule_is_refused(model, split, rule):
    with pytest.raises(wb.WorkbenchError, match="expected a rule, which is a callable"):
        disagreement(model, rule, split.validation)


def test_a_scenario_of_the_other_decision_is_refused(model, table, split):
    with pytest.raises(wb.WorkbenchError, match="ImageScenario"):
        disagreement(model, table, split.validation, scenario=wb.PrefetchScenario())


def test_the_heading_says_how_often_they_disagree_and_no_net(found):
    share, most = f"{100 * found.share.estimate:.0f} %", found.directions["direction"].iloc[0]
    assert found.finding == f"Model and rule disagree in {share} of the views, most often so: {most}"
    assert "its views are not those of the verdict (on validation, limits were tuned and the best rule" in str(found)


def test_what_is_written_is_the_rule_or_why_there_is_none(found, pages):
    assert found.rule is not None and found.written == str(found.rule)
    assert replace(found, rule=None).written.startswith("No leaf is a candidate rule")
    assert replace(pages, rule=None, leaves=(), no_tree="They disagree for too few.").written.endswith("too few.")


def test_where_they_disagree_nearly_everywhere_it_says_so(next_page, site):
    everywhere = disagreement(PrefetchPolicy(next_page, limit=0.03), Never(), site.validation)
    assert everywhere.share.estimate > 0.99
    assert NOWHERE not in str(everywhere)
    assert everywhere.leaves or NEARLY_EVERYWHERE in str(everywhere)


def test_a_rule_that_is_not_available_is_refused_with_the_reason(model, split, next_page, site):
    """The column that it needs is known too late, is empty, or is none of the data."""
    late = Lookup(("connection_type", "isp"), known_by="client_js").fit(split.train)
    with pytest.raises(wb.WorkbenchError, match=r"is not: connection_type is known by client_js.*such as result\.best"):
        disagreement(model, late, split.validation)
    unknown = split.validation.assign(isp=pd.Series(None, split.validation.index, dtype="str"))
    with pytest.raises(wb.WorkbenchError, match=r"available on these views; table by \(isp\) is not: .* have no isp"):
        disagreement(model, Lookup(("isp",)).fit(split.train), unknown)
    priced = wb.needs("price")(lambda context: context["price"])
    with pytest.raises(wb.WorkbenchError, match="is not: these views have no price"):
        disagreement(next_page, priced, site.validation)


def test_of_fewer_than_20_users_nothing_is_told(model, table, split):
    few = split.validation[split.validation["user_id"].isin(split.validation["user_id"].unique()[:5])]
    with pytest.raises(
        wb.WorkbenchError, match=r"expected views of 20 users or more, .* these are of 5\. Take a larger"
    ):
        disagreement(model, table, few)


def test_leaves_are_told_in_full_text_alone(found):
    told = [leaf.sentence for leaf in found.leaves]
    assert told and all(each in str(found) and each not in found.sentences for each in told)
