"""An exported policy: decides as the workbench does in Python, in Node and in Chromium, and is whole or refused."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest
import xgboost
from click.testing import CliRunner
from playwright.sync_api import Error

import workbench as wb
from workbench.cli import main
from workbench.datasets.cards import Pages
from workbench.datasets.splits import card_of
from workbench.decisions import find_decision
from workbench.decisions.chances import OneOption
from workbench.decisions.images.rules import ConnectionClass, ConnectionDefaults, EffectiveType, LastMeasurement
from workbench.decisions.option_explain import OptionTreeRule
from workbench.decisions.prefetch import ship
from workbench.decisions.prefetch.explain import PageTreeRule
from workbench.explanation.surrogate_tree import Among, Between, Conditions
from workbench.export.policy import bundle
from workbench.export.policy.cases import as_canonical, draw_contexts
from workbench.export.policy.fields import read_field
from workbench.export.policy.loaded import EXPORT, LoadedPolicy
from workbench.export.policy.speculation import SiteRules
from workbench.features.network import group_labels
from workbench.flat_trees import Trees
from workbench.models.boosting import flat_trees

ASK = """
import fs from "node:fs";
import { load } from "./policy.js";
const [policy, contexts] = JSON.parse(fs.readFileSync(0));
const decide = load(policy);
console.log(JSON.stringify(contexts.map((context) => decide(context))));
"""
FIELDS = {
    "asn": {"type": "text"},
    "effective_type": {"type": "text", "allowed": ["3g", "4g"]},
    "last_rtt_ms": {"type": "number"},
    "save_data": {"type": "flag"},
}
HAND_MADE = {
    "format": 1,
    "kind": "table",
    "returns": "rendition",
    "options": ["small", "large"],
    "saves_data": "save_data",
    "fields": FIELDS,
    "keys": ["asn", "last_rtt_ms"],
    "edges": {"last_rtt_ms": [100, 300]},
    "answers": {
        "": [0, 0.5, 0.75],
        "\x1f64500": [1, 0.25, 0.5],
        "\x1f64500\x1f2": [0, 0.0, 1.0],
        "\x1f\x1f0": [1, 0.125, 0.25],
    },
}


@pytest.fixture(scope="module")
def node(node_program, tmp_path_factory):
    """``node(policy, contexts)``: the answers of policy.js."""
    folder = tmp_path_factory.mktemp("node")
    (folder / "package.json").write_text('{"type": "module"}')

    def ask(policy, contexts, script=ASK):
        (folder / "policy.js").write_bytes(bundle.policy_script(policy))
        (folder / "ask.mjs").write_text(script)
        given = json.dumps([policy, contexts])
        done = subprocess.run(
            [node_program, "ask.mjs"], cwd=folder, input=given, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ask


@pytest.fixture(scope="module")
def result(studied):
    return studied("synthetic_measurements", rows=6000)


@pytest.fixture(scope="module")
def folder(result, tmp_path_factory):
    """The model, exported."""
    return wb.export_policy(result, tmp_path_factory.mktemp("site") / "policy", "model")


def shipped_of(result, policy, known_by=None):
    decision, split = result.decision, result.split
    return decision.shipped(policy, split, result.scenario, known_by or result.known_by)


def complete(content):
    return json.loads(json.dumps({"format": 1, "name": "made", "version": "0", **content}))


def assert_same(answers, others):
    assert len(answers) == len(others)
    assert [
        i for i, (one, other) in enumerate(zip(answers, others, strict=True)) if not bundle.same_answer(one, other)
    ] == []


def in_chromium(browser, content, contexts):
    page = browser.new_page()
    page.add_script_tag(type="module", content=bundle.policy_script(content).decode() + "\nwindow.load = load;")
    page.wait_for_function("() => typeof window.load === 'function'")
    found = page.evaluate("([policy, contexts]) => contexts.map(load(policy))", [content, contexts])
    page.close()
    return found


def surrogate(base, result):
    """A tree on every kind of condition, on top of another rule."""
    branches = (
        ((Among("country", ("DE", "unknown")), Between("local hour", up_to=12.0, unknown=True)), "small"),
        ((Among("the rule sends", ("large",), inside=False), Among("Save-Data", ("on",), inside=False)), "large"),
        ((Between("age of the last measurement", above=600.0, up_to=1e6),), "medium"),
    )
    branches = tuple((Conditions(parts), option) for parts, option in branches)
    return OptionTreeRule(base, branches, result.split.card, result.known_by, result.decision)


@pytest.fixture(
    params=["model", "linear", "lookup", "always medium", "last", "last, else lookup", "signal, else lookup", "tree"]
)
def asked(request, result):
    """A policy, contexts, and what the workbench itself decides in them."""
    lookup = next(rule for rule in result.rules if rule.name.startswith("most fitting size per country and network"))
    rules = {"lookup": lookup, "last": LastMeasurement(), "last, else lookup": LastMeasurement(otherwise=lookup)}
    rules["signal, else lookup"] = EffectiveType(otherwise=ConnectionClass(otherwise=lookup))
    rules["tree"] = surrogate(lookup, result)
    picked = rules.get(request.param) or result.of(request.param).policy
    shipped = shipped_of(result, picked, "native_app" if request.param.startswith("signal") else None)
    content = complete(shipped.content)
    contexts = draw_contexts(content, result.split.train, 1500, seed=3)
    with np.errstate(over="ignore", divide="ignore"):
        return content, contexts, shipped.answers(as_canonical(contexts, content["fields"]))


def test_python_decides_as_the_workbench(asked):
    content, contexts, answers = asked
    policy = LoadedPolicy(content)
    assert_same([policy.decide(context) for context in contexts[:300]], answers[:300])
    frame = policy.decide(pd.DataFrame(contexts, dtype=object))  # strange values and all
    assert frame["rendition"].tolist() == [answer["rendition"] for answer in answers]
    if answers[0]["chances"]:
        chances = [list(answer["chances"].values()) for answer in answers]
        np.testing.assert_allclose(frame.filter(like="chance_"), chances, rtol=0, atol=1e-6)
    assert len({answer["rendition"] for answer in answers}) > 1  # it does decide


def test_node_decides_as_the_workbench(asked, node):
    content, contexts, answers = asked
    assert_same(node(content, contexts), answers)


def test_chromium_decides_as_the_workbench(asked, browser):
    content, contexts, answers = asked
    assert_same(in_chromium(browser, content, contexts), answers)


def test_one_measured_quantity_decides_alike_everywhere(node):
    """Round-trip time alone: throughput is assumed, and some renditions are late for certain."""
    views = wb.load("synthetic_measurements", rows=4000).drop(
        columns=["downlink_mbps", "page_load_ms"], errors="ignore"
    )
    card = replace(card_of(views), assume={"downlink_mbps": (0.5, 1.0, 4.0)})
    views.attrs["card"] = card
    split = wb.split_by_user(views)
    decision, scenario = find_decision(card=card), wb.ImageScenario()
    policy = decision.model_policy(wb.train_network_quality(split), split.card)
    shipped = decision.shipped(policy, split, scenario, split.card.known_by)
    content = complete(shipped.content)
    assert list(content["heads"]) == ["rtt_ms"]
    contexts = draw_contexts(content, split.train, 500)
    with np.errstate(over="ignore", divide="ignore"):
        answers = shipped.answers(as_canonical(contexts, content["fields"]))
    assert_same(node(content, contexts), answers)
    assert_same([LoadedPolicy(content).decide(context) for context in contexts], answers)


@pytest.mark.parametrize(
    ("context", "rendition", "chances"),
    [
        ({}, "small", (0.5, 0.75)),
        ({"asn": "64500"}, "large", (0.25, 0.5)),
        ({"asn": 64500}, "large", (0.25, 0.5)),
        ({"asn": 64500, "last_rtt_ms": 299.9}, "large", (0.25, 0.5)),  # its bin has no answer of its own
        ({"asn": 64500, "last_rtt_ms": 300}, "small", (0.0, 1.0)),
        ({"asn": "64500", "last_rtt_ms": "300"}, "large", (0.25, 0.5)),  # a text is no number
        ({"last_rtt_ms": 99}, "large", (0.125, 0.25)),
        ({"asn": "", "last_rtt_ms": -1e300}, "large", (0.125, 0.25)),
        ({"asn": "never seen", "last_rtt_ms": 99}, "small", (0.5, 0.75)),
        ({"asn": "64500", "save_data": True}, "small", (0.25, 0.5)),
        ({"asn": "64500", "save_data": "on"}, "large", (0.25, 0.5)),  # the flag is true or false
        ({"asn": True, "last_rtt_ms": True}, "small", (0.5, 0.75)),
        ({"asn": "64500\x1f2"}, "small", (0.5, 0.75)),  # no text reads as two
        ({"asn": "\x1f0"}, "small", (0.5, 0.75)),
    ],
)
def test_a_table_is_read_from_coarse_to_fine(context, rendition, chances, node):
    expected = {"rendition": rendition, "chances": dict(zip(("small", "large"), chances, strict=True))}
    assert LoadedPolicy(complete(HAND_MADE)).decide(context) == expected
    assert node(HAND_MADE, [context]) == [expected]


def test_a_table_is_of_whole_texts():
    """A separator within a text begins no part of a label: "a, then b" is a group of two columns."""
    context = pd.DataFrame({"isp": ["a", "a\x1fb"], "region": ["b", None]})
    labels = group_labels(context, ("isp", "region"))
    assert labels[1].tolist() == ["\x1fa", "\x1fa b"]
    assert labels[2].tolist() == ["\x1fa\x1fb", "\x1fa b\x1f"]


@pytest.mark.parametrize(
    ("rtt", "rate"), [(1e308, -5e-324), (1e308, -1e-302), (1e308, -1e-301), (100.0, 0.0), (50.0, -3.0), (50.0, 20.0)]
)
def test_what_no_network_measures_is_weighed_alike(rtt, rate, result, node):
    context = {"last_rtt_ms": rtt, "last_downlink_mbps": rate, "last_age_s": 1.0}
    shipped = shipped_of(result, LastMeasurement())
    with np.errstate(all="ignore"):
        expected = shipped.answers(as_canonical([context], shipped.content["fields"]))
    assert LoadedPolicy(complete(shipped.content)).decide(context) == expected[0]
    assert node(complete(shipped.content), [context]) == expected


def assert_explained_alike(content, contexts, node):
    lines = [LoadedPolicy(content).explain(context) for context in contexts[:100]]
    assert node(content, contexts[:100], ASK.replace("decide(context))", "decide.explain(context))")) == lines
    assert all(line.startswith(f'policy;desc="{content["version"]} ') and line.count('"') == 2 for line in lines)


def test_one_line_says_why(asked, node):
    content, contexts, answers = asked
    assert_explained_alike(content, contexts, node)
    assert f'"0 {answers[0]["rendition"]}' in LoadedPolicy(content).explain(contexts[0])


def test_javascript_s_own_values_count_as_missing(node):
    script = ASK.replace(
        "contexts.map((context) => decide(context))",
        """[undefined, null, NaN, 10n ** 30n, () => 1,
        new Date(0), new Map(), [64500]].map((asn) => decide({ asn, last_rtt_ms: asn }))
        .concat(decide(), decide(null))""",
    )
    answers = node(HAND_MADE, [], script)
    assert len(answers) == 10
    assert all(answer["rendition"] in ("small", "large") for answer in answers)
    assert answers[0] == answers[8] == answers[9] == LoadedPolicy(complete(HAND_MADE)).decide({})
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize(
    ("rule", "column", "values"),
    [
        (EffectiveType(), "effective_type", ["4g", "3g", "2g", "slow-2g", None]),
        (EffectiveType(large_on=("3g", "4g"), otherwise="large"), "effective_type", ["4g", "3g", "2g", None]),
        (ConnectionDefaults(), "connection_type", ["wifi", "2g", "3g", "4g", "5g", "cellular", "bluetooth", None]),
        (ConnectionClass(), "last_downlink_mbps", [0.1, 0.55, 0.5499, 1.99, 2.0, 50.0, -1.0, None]),
    ],
)
def test_a_rule_on_one_signal_is_a_table(rule, column, values, result):
    scenario = wb.ImageScenario(budget_ms=2500)
    content = result.decision.shipped(rule, result.split, scenario, "native_app").content
    policy = LoadedPolicy(complete(content))
    frame = pd.DataFrame({column: pd.Series(values, dtype="float64" if column.endswith("mbps") else "str")})
    wanted = list(rule(frame, scenario))
    assert policy.decide(frame)["rendition"].tolist() == wanted
    assert len(set(wanted)) > 1
    assert policy.decide({})["chances"] is None


def test_margins_are_those_of_xgboost_bit_by_bit():
    """Missing, infinite and boundary numbers; thresholds between, on and beyond those of the trees."""
    rng = np.random.default_rng(1)
    matrix = rng.normal(0, 2, (4000, 4)).astype(np.float32)
    matrix[:, 0] = np.round(matrix[:, 0])
    matrix[rng.random(matrix.shape) < 0.1] = np.nan
    answer = (np.nan_to_num(matrix).sum(axis=1) + rng.normal(0, 1, 4000) > 1).astype(float)
    booster = xgboost.train(
        {"objective": "binary:logistic", "max_depth": 5, "seed": 0}, xgboost.DMatrix(matrix, answer), 60
    )
    flat = flat_trees(booster)
    last = matrix.shape[1] - 1
    splits = [value for feature, value in zip(flat["feature"], flat["value"], strict=True) if feature == last]
    asked = np.unique(np.array([-9, *splits[:20], 0.1, 9], np.float32))
    value = [
        int(np.searchsorted(asked, np.float32(number))) if feature == last else number
        for feature, number in zip(flat["feature"], flat["value"], strict=True)
    ]
    feature = [-2 if each == last else each for each in flat["feature"]]
    trees = Trees(flat | {"asked": len(asked), "feature": feature, "value": value})
    rows = matrix[:250].copy()
    rows[0, :3], rows[1, :3], rows[2, :3] = np.inf, -np.inf, np.nan
    rows[3, 1] = next(value for each, value in zip(flat["feature"], flat["value"], strict=True) if each == 1)
    every = np.repeat(rows, len(asked), axis=0)
    every[:, last] = np.tile(asked, len(rows))
    wanted = booster.inplace_predict(every, predict_type="margin").reshape(len(rows), len(asked))
    np.testing.assert_array_equal(trees.margins(rows), wanted)


def views_of(users_by_asn: dict[str, int]) -> pd.DataFrame:
    """A view a user; one network is ten times as slow."""
    rows = [
        (f"{asn}-{i}", asn, (40.0 if asn == "1" else 400.0) + i, 5.0 + i % 40)
        for asn, users in users_by_asn.items()
        for i in range(users)
    ]
    frame = pd.DataFrame(rows, columns=["user_id", "asn", "rtt_ms", "downlink_mbps"])
    return wb.measurements(frame.assign(country="DE"))


def test_groups_of_fewer_than_20_users_are_not_in_it():
    views = views_of({"1": 400, "2": 400, "77": 19, "88": 20})
    split = replace(wb.split_by_user(views), train=views)
    decision, scenario = find_decision(card=split.card), wb.ImageScenario()
    (table,) = [rule for rule in wb.rules(split) if rule.name == "most fitting size per country and network (ASN)"]
    content = decision.shipped(table.fit(views), split, scenario, "first_request").content
    assert set(content["answers"]) == {"", "\x1fDE", "\x1fDE\x1f1", "\x1fDE\x1f2", "\x1fDE\x1f88"}
    policy = LoadedPolicy(complete(content))
    few, parent = (policy.decide({"country": "DE", "asn": asn}) for asn in ("77", "never seen"))
    assert few == parent
    model = decision.model_policy(wb.NetworkQuality().fit(views), split.card)
    text = json.dumps(decision.shipped(model, split, scenario, "first_request").content)
    assert '"1"' in text
    assert '"77"' not in text


def test_the_folder_holds_what_the_manifest_says(folder, result):
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    assert names == {"policy.json", "policy.js", "vectors.json", "README.md", "estimates.json", "manifest.json"}
    vectors = json.loads((folder / "vectors.json").read_text())["cases"]
    policy = wb.load_policy(folder)
    assert_same([policy.decide(case["context"]) for case in vectors], [case["decision"] for case in vectors])
    text = "".join(path.read_text() for path in folder.iterdir())
    assert not [user for user in result.split.test["user_id"].unique() if user in text]


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "pages"},
        {"kind": "ranker"},
        {"kind": "ranker", "trees": {"weights": []}},
        {"kind": "last", "otherwise": {"kind": "linear"}},
        {"kind": "last", "otherwise": {"kind": "table", "otherwise": {"kind": "linear"}}},
        {"kind": "last", "otherwise": {"kind": "table", "otherwise": {"kind": "trees"}}},
        {"kind": "branches", "base": {"kind": "last", "otherwise": {"kind": "trees"}}},
        {"kind": "branches", "base": {"kind": "table", "otherwise": {"kind": "trees"}}},
    ],
)
def test_a_script_is_small_and_asks_for_nothing(content):
    script = bundle.policy_script(content)
    assert len(script) < 8000
    assert not any(word in script for word in (b"import ", b"require(", b"eval", b"Function(", b"http", b"//"))


def test_policies_that_hand_views_on_three_times_are_refused():
    nest = {"kind": "last", "otherwise": {"kind": "table", "otherwise": {"kind": "trees"}}}
    with pytest.raises(wb.WorkbenchError, match="the most is 8,000"):
        bundle.policy_script({"kind": "branches", "base": nest})


def test_the_readme_says_where_fields_come_from_and_what_is_known(folder, result):
    text = (folder / "README.md").read_text()
    for term in (
        "Sec-CH-UA-Platform",
        "Save-Data",
        "CloudFront-Viewer-ASN",
        "SIMULATED",
        "fewer than 20 users",
        "600 s",
    ):
        assert term in text
    assert result.unit.amount(result.of("model").figures.net) in text
    assert wb.load_policy(folder).content["version"] in text


def test_the_same_result_is_exported_to_the_same_bytes(folder, result, tmp_path):
    again = wb.export_policy(result, tmp_path / "again", "model")
    assert all((again / path.name).read_bytes() == path.read_bytes() for path in folder.iterdir())


def change(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"small", b"large"))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def without(part: str):
    """Leave a part out, with a manifest that fits."""

    def spoil(path: Path) -> None:
        content = json.loads(path.read_text())
        del content[part]
        files = {each.name: each.read_bytes() for each in path.parent.iterdir() if each.name != "manifest.json"}
        files["policy.json"] = json.dumps(content).encode()
        for name, each in EXPORT.sealed(files, {}).items():
            (path.parent / name).write_bytes(each)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "file", "said"),
    [
        (change, "policy.json", "policy.json was changed"),
        (cut, "policy.json", "policy.json was cut"),
        (Path.unlink, "policy.js", "policy.js is missing"),
        (Path.unlink, "manifest.json", "no exported policy"),
        (cut, "manifest.json", "manifest.json"),
        (lambda path: path.write_text("[]"), "manifest.json", "manifest.json"),
        (lambda path: path.write_text('{"format": 2}'), "manifest.json", "expected exported policy format 1; got 2"),
        (Path.touch, "more.js", "holds more.js, which its manifest.json does not list"),
        *((without(part), "policy.json", "holds no policy") for part in ("kind", "heads", "fields", "version")),
    ],
)
def test_what_was_spoilt_is_refused_in_a_sentence(spoil, file, said, folder, tmp_path):
    spoilt = Path(shutil.copytree(folder, tmp_path / "policy"))
    spoil(spoilt / file)
    with pytest.raises(wb.WorkbenchError, match=said):
        wb.load_policy(spoilt)


@pytest.mark.parametrize("context", [5, "DE", [1, 2], None])
def test_what_is_no_context_is_refused(context, folder):
    with pytest.raises(wb.WorkbenchError, match="expected a dict of fields"):
        wb.load_policy(folder).decide(context)


def test_an_earlier_export_is_replaced_and_all_else_refused(folder, result, tmp_path):
    kept = Path(shutil.copytree(folder, tmp_path / "policy"))
    wb.export_policy(result, kept, "always medium")
    assert wb.load_policy(kept).decide({})["rendition"] == "medium"
    (kept / "notes.txt").write_text("mine")
    with pytest.raises(wb.WorkbenchError, match=r"notes\.txt, which wb\.export_policy did not write"):
        wb.export_policy(result, kept, "always medium")
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("mine")
    with pytest.raises(wb.WorkbenchError, match="files that are no exported policy"):
        wb.export_policy(result, other, "always medium")
    with pytest.raises(wb.WorkbenchError, match="not a folder"):
        wb.export_policy(result, other / "mine.txt", "always medium")
    assert [path.name for path in other.iterdir()] == ["mine.txt"]


def test_it_appears_whole_or_not_at_all(folder, result, tmp_path, monkeypatch):
    kept = Path(shutil.copytree(folder, tmp_path / "policy"))
    before = {path.name: path.read_bytes() for path in kept.iterdir()}
    write = Path.write_bytes

    def full(path, content):
        if path.name == "manifest.json":
            raise OSError(28, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    for target in (kept, tmp_path / "new"):
        with pytest.raises(wb.WorkbenchError, match="No space left on device; nothing was changed"):
            wb.export_policy(result, target, "always medium")
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["policy"]
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == before


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("no such policy", "no policy 'no such policy'"),
        ("perfect knowledge", "cannot be exported"),
        ("best possible prediction", "a site can run the model"),
        ("Chromium's defaults by connection type", "cannot be exported"),
    ],
)
def test_what_cannot_be_exported_is_refused_in_a_sentence(policy, said, result, tmp_path):
    with pytest.raises(wb.WorkbenchError, match=said):
        wb.export_policy(result, tmp_path / "policy", policy)
    assert list(tmp_path.iterdir()) == []


def test_the_recommendation_says_what_is_exported(result, tmp_path):
    content = wb.load_policy(wb.export_policy(result, tmp_path / "policy")).content
    advice = result.recommendation
    named = {"test_model": "model"}.get(advice.action, "best_rule" if advice.ship == "ship_rule" else "today")
    assert content["name"] == result.of(named).name


def test_every_rule_of_a_comparison_is_exported_or_refused_for_its_reason(result, site):
    refused = {}
    for study in (result, site):
        assert len(study.rules) > 8
        for rule in study.rules:
            try:
                LoadedPolicy(complete(shipped_of(study, rule).content))
            except wb.WorkbenchError as err:
                refused[rule.name] = str(err)
    assert list(refused) == ["similar sessions, else Markov"]
    assert "sessions of single users" in refused["similar sessions, else Markov"]


def test_a_recommendation_that_no_site_can_run_names_the_next_best(site, tmp_path):
    similar = site.of("similar sessions, else Markov").policy
    ships = replace(site.recommendation, action="stop", ship="ship_rule")
    result = replace(site, best_rule=similar, recommendation=ships)
    with pytest.raises(wb.WorkbenchError, match=r"sessions of single users.*policy='model'") as refused:
        wb.export_policy(result, tmp_path / "policy")
    assert "Markov" in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_it_decides_without_xgboost_and_pandas(folder):
    code = (
        "import sys; sys.modules['xgboost'] = sys.modules['pandas'] = None\n"
        f"import workbench as wb; print(wb.load_policy({str(folder)!r}).decide({{'country': 'DE', 'save_data': True}}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "'rendition': 'small'" in done.stdout


def test_a_third_decision_is_exported_too(video, node, tmp_path):
    result = wb.study("synthetic_measurements", rows=2500, scenario=video.VideoScenario())
    policy = wb.load_policy(wb.export_policy(result, tmp_path / "video", "model"))
    contexts = draw_contexts(policy.content, result.split.train, 200)
    answers = node(policy.content, contexts)
    assert {answer["bitrate"] for answer in answers} <= {"low", "middle", "high"}
    assert len({answer["bitrate"] for answer in answers}) > 1
    assert_same([policy.decide(context) for context in contexts], answers)


def test_the_command_writes_a_policy(tmp_path):
    run = CliRunner().invoke(main, ["export", "synthetic_null", "--rows", "1500", "--out", str(tmp_path / "policy")])
    assert run.exit_code == 0, run.output
    assert wb.load_policy(tmp_path / "policy").content["data"] == "synthetic_null"
    (tmp_path / "policy" / "mine.txt").write_text("mine")
    run = CliRunner().invoke(main, ["export", "synthetic_null", "--out", str(tmp_path / "policy")])
    assert run.exit_code == 2
    assert "mine.txt" in run.output


# From "a" to "b" and back; who came from "c" to "a" goes on to "d".
FOLLOWED = {
    "format": 1,
    "kind": "pages",
    "fields": {"pages": {"type": "pages"}},
    "names": ["a", "b", "c", "d"],
    "orders": [
        {"": [100, 0, 40, 1, 30, 3, 20]},
        {"0": [40, 1, 25, 3, 10], "1": [30, 0, 30]},
        {"2,0": [20, 3, 20], "-1,0": [20, 1, 15]},
    ],
    "smoothing": [10.0, 10.0],
    "limit": 0.3,
    "most": 2,
    "listed": 10,
}
FIRST_B = (25 + 10 * 0.3) / 50  # of "b" after "a": 28 of 50 with what everybody opens
FIRST_D = (10 + 10 * 0.2) / 50


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        (["c", "a"], [("d", (20 + 10 * FIRST_D) / 30)]),  # "b" has 5.6 / 30, below the limit
        (["a"], [("b", (15 + 10 * FIRST_B) / 30)]),
        (["never seen", "a"], [("b", FIRST_B)]),  # nothing is known of the two
        (["d", "a"], [("b", (10 * FIRST_B) / 10)]),
        (["b"], [("a", (30 + 10 * 0.4) / 40)]),
        (["never seen"], [("a", 0.4), ("b", 0.3)]),
        ([], [("a", 0.4), ("b", 0.3)]),
        ("a", [("a", 0.4), ("b", 0.3)]),
        ([7, True, None], [("a", 0.4), ("b", 0.3)]),
        (["a", "b", "c", "a"], [("d", (20 + 10 * FIRST_D) / 30)]),
    ],
)
def test_pages_lean_on_shorter_sequences(pages, expected, node):
    expected = [{"page": page, "chance": pytest.approx(chance)} for page, chance in expected]
    assert LoadedPolicy(complete(FOLLOWED)).decide({"pages": pages}) == expected
    assert node(FOLLOWED, [{"pages": pages}]) == [expected]


@pytest.fixture(scope="module")
def site(studied):
    return studied("synthetic_navigations", rows=6000)


@pytest.fixture(
    params=[
        *(
            "model",
            "linear",
            "never",
            "most popular page",
            "fourth-order Markov with back-off",
            "user history, else Markov",
        ),
        *("Guess.js", "quicklink"),
    ]
)
def fetched(request, site):
    shipped = site.decision.shipped(site.of(request.param).policy, site.split, site.scenario, site.known_by)
    content = complete(shipped.content)
    contexts = draw_contexts(content, site.split.train, 1000, seed=1)
    with np.errstate(over="ignore", divide="ignore"):
        return content, contexts, shipped.answers(as_canonical(contexts, content["fields"]))


@pytest.fixture(scope="module")
def large_site():
    """Of 40 pages, with times, devices, hours and links: candidates are few of them; every kind of feature is read."""
    rng = np.random.default_rng(0)
    rows = []
    for session in range(900):
        at, moment = int(rng.integers(40)), pd.Timestamp("2026-01-05", tz="UTC") + pd.Timedelta(hours=session)
        device = str(rng.choice(["desktop", "phone", "tablet"]))
        for _ in range(int(rng.integers(2, 8))):
            rows.append((f"u{session % 300}", f"s{session}", moment, f"/{at}", device, moment.hour))
            dwell = int(rng.integers(1_000, 120_000))
            step = {"desktop": 1, "phone": 2, "tablet": 3}[device] + (7 if dwell > 60_000 else 0)
            at = (at + step) % 40 if rng.random() < 0.8 else int(rng.integers(40))
            moment += pd.Timedelta(milliseconds=dwell)
    names = ["user_id", "session_id", "viewed_at", "page", "device", "local_hour"]
    views = wb.navigations(pd.DataFrame(rows, columns=names))
    split = wb.split_by_time(views)
    links = pd.DataFrame([(f"/{i}", f"/{(i + step) % 40}") for i in range(40) for step in (1, 2, 9)])
    return replace(split, links=links.set_axis(["from_page", "to_page"], axis=1))


def test_a_model_of_many_pages_decides_alike_everywhere(large_site, node, browser):
    split = large_site
    decision, scenario = find_decision(card=split.card), find_decision(card=split.card).scenario(split.card)
    model = wb.NextPage(known_by=split.card.known_by, max_trees=60).fit_split(split)
    shipped = decision.shipped(decision.model_policy(model, split.card), split, scenario, split.card.known_by)
    content = complete(shipped.content)
    assert len(content["names"]) == 40 > content["candidates"]["all_up_to"]
    assert {"device", "dwell_before_s", "usual_next"} <= set(content["fields"])
    contexts = draw_contexts(content, split.train, 1000)
    with np.errstate(over="ignore"):
        answers = shipped.answers(as_canonical(contexts, content["fields"]))
    assert sum(map(bool, answers)) > 200
    assert_same([LoadedPolicy(content).decide(context) for context in contexts], answers)
    assert_same(node(content, contexts), answers)
    assert_same(in_chromium(browser, content, contexts), answers)
    test = split.test.head(500)
    there = decision.situations(test, split.card, "session_id", split.card.known_by, scenario)
    wanted = decision.ask(shipped.policy, there, scenario).astype({"page": "str"})
    found = LoadedPolicy(content).decide(there.context)  # the time on the page before comes from viewed_at
    assert (
        found[["view_id", "page", "rank"]].to_numpy().tolist()
        == wanted[["view_id", "page", "rank"]].to_numpy().tolist()
    )


def test_one_line_says_why_pages_are_fetched(fetched, node):
    assert_explained_alike(*fetched[:2], node)
    line = LoadedPolicy(complete(FOLLOWED)).explain({"pages": ["a"]})
    assert line == 'policy;desc="0 b 0.687 d 0.080 limit 0.300"'  # (15 + 10 * FIRST_B) / 30, 10 * FIRST_D / 30


def test_pages_are_those_of_the_workbench_everywhere(fetched, node, browser):
    content, contexts, answers = fetched
    assert sum(map(bool, answers)) > 200 or content["names"] == []
    assert_same([LoadedPolicy(content).decide(context) for context in contexts], answers)
    assert_same(node(content, contexts), answers)
    assert_same(in_chromium(browser, content, contexts), answers)


@pytest.mark.parametrize("name", ["model", "first-order Markov", "user history, else Markov", "quicklink"])
def test_a_frame_of_page_views_is_decided_view_by_view(name, site):
    """All of test, against the workbench's own policy without what few users met."""
    shipped = shipped_of(site, site.of(name).policy)
    test = site.decision.situations(site.split.test, site.split.card, "session_id", site.known_by, site.scenario)
    wanted = site.decision.ask(shipped.policy, test, site.scenario).astype({"page": "str"})
    found = LoadedPolicy(complete(shipped.content)).decide(test.context)
    assert len(found) > 200
    pd.testing.assert_frame_equal(
        found[["view_id", "page", "rank"]].sort_values(["view_id", "rank"], ignore_index=True),
        wanted[["view_id", "page", "rank"]].sort_values(["view_id", "rank"], ignore_index=True),
        check_dtype=False,
    )
    one = test.context.drop(columns="view_id").set_axis([f"row {i}" for i in range(len(test))])
    assert LoadedPolicy(complete(shipped.content)).decide(one)["view_id"].str.startswith("row ").all()


@pytest.fixture(scope="module")
def net_of(site):
    """``net_of(policy, part)``: its net in each view of a part."""
    decision, split = site.decision, site.split

    def net(policy, part):
        there = decision.situations(part, split.card, split.cluster, site.known_by, site.scenario)
        return decision.outcomes(decision.ask(policy, there, site.scenario), there, site.scenario)["net"]

    return net


@pytest.mark.parametrize("name", ["model", "second-order Markov with back-off", "user history, else Markov"])
def test_what_is_left_of_a_policy_on_pages_has_a_limit_of_its_own(site, net_of, name):
    """At no other limit it gains more on validation, that of before small groups left among them."""
    compared, exported = site.of(name).policy, shipped_of(site, site.of(name).policy).policy
    best = net_of(exported, site.split.validation).mean()
    for limit in (
        compared.limit,
        0.6 * exported.limit,
        0.9 * exported.limit,
        1.1 * exported.limit,
        1.6 * exported.limit,
    ):
        assert net_of(replace(exported, limit=limit), site.split.validation).mean() <= best


def test_estimates_of_an_export_are_of_policies_as_a_site_runs_them(site, net_of, tmp_path):
    folder = wb.export_policy(site, tmp_path / "model", "model", full=True)
    estimates = json.loads((folder / "estimates.json").read_text())
    ours = net_of(shipped_of(site, site.of("model").policy).policy, site.split.test)
    for name in (estimates["best_rule"], estimates["today"]):
        theirs = net_of(shipped_of(site, site.of(name).policy).policy, site.split.test)
        found = estimates["others_vs_policy"][name]
        assert found["difference"] == pytest.approx((theirs - ours).mean())
        assert found["interval"][0] <= found["difference"] <= found["interval"][1]
    similar = next(each for each in site.results if each.name.startswith("similar"))  # no site can run it
    wanted = (similar.outcomes["net"] - ours).mean()
    assert estimates["others_vs_policy"][similar.name]["difference"] == pytest.approx(wanted)
    told = (folder / "README.md").read_text()
    assert "As exported, it minus best rule" in told and "trees that hardly change" not in told


def test_a_line_that_says_why_holds_no_letter_that_a_header_cannot(result):
    content = dict(shipped_of(result, OneOption("medium")).content) | {"options": ["klein", "groß", "sehr groß"]}
    assert 'gro%C3%9F"' in LoadedPolicy(complete(content)).explain({})


@pytest.mark.parametrize("values", [[25.0, 5.0, -1.0], np.array([25.0, 5.0, -1.0]), np.array([25, 5, -1])])
def test_numbers_of_a_frame_outside_of_a_fields_bounds_are_missing(values):
    found = read_field(values, 3, {"type": "number", "low": 0, "high": 23}).numbers
    np.testing.assert_array_equal(found, [np.nan, 5.0, np.nan])


def test_a_surrogate_tree_on_pages_is_refused_with_what_to_take_instead(site):
    tree = PageTreeRule(site.of("first-order Markov").policy, (), site.split.card, site.known_by, {})
    with pytest.raises(wb.WorkbenchError, match="policy='first-order Markov', or 'model'"):
        shipped_of(site, tree)


def test_pages_that_few_users_saw_are_not_in_it():
    rows = [
        (f"{page}{i}", f"{page}{i}", place, name)
        for page, users in (("common", 60), ("rare", 19))
        for i in range(users)
        for place, name in enumerate(["/", f"/{page}", "/end"])
    ]
    frame = pd.DataFrame(rows, columns=["user_id", "session_id", "position", "page"])
    views = wb.navigations(frame)
    split = replace(wb.split_by_user(views), train=views)
    decision = find_decision(card=split.card)
    rule = next(rule for rule in wb.rules(split) if rule.name == "second-order Markov with back-off")
    scenario = decision.scenario(split.card)
    guess = next(rule for rule in wb.rules(split) if rule.name.startswith("Guess"))
    content = decision.shipped(rule, split, scenario, "client_js").content
    assert content["names"] == ["/", "/common", "/end"]
    assert set(content["orders"][2]) == {"-1,0", "0,1", "1,2"}
    for policy in (
        decision.model_policy(wb.NextPage(known_by="client_js").fit(views), split.card),
        guess,
    ):
        text = json.dumps(decision.shipped(policy, split, scenario, "client_js").content)
        assert "/common" in text
        assert "/rare" not in text


def test_a_site_of_which_no_page_may_be_named_is_refused_in_a_sentence():
    rows = [(f"u{i}", f"s{i}", place, f"/{i % 6}/{place}") for i in range(60) for place in range(3)]  # ten users a page
    views = wb.navigations(pd.DataFrame(rows, columns=["user_id", "session_id", "position", "page"]))
    split = replace(wb.split_by_user(views), train=views)
    decision = find_decision(card=split.card)
    (rule,) = [rule for rule in wb.rules(split) if rule.name == "first-order Markov"]
    with pytest.raises(wb.WorkbenchError, match="no page was viewed by 20 users"):
        decision.shipped(rule, split, decision.scenario(split.card), "client_js")


def test_a_ranker_without_rare_levels_still_says_the_same_of_all_others(site):
    """Splits on codes move with the codes: where nobody is rare, nothing changes but the numbers of the pages."""
    model = site.model
    merged = model.merged(site.split)
    users = site.split.train.groupby(site.split.train["page"].astype(str))["user_id"].nunique()
    assert merged.layout_.pages == sorted(users.index[users >= 20])
    places = [model.layout_.pages.index(page) for page in merged.layout_.pages]
    column = model.names_.index("page")
    rows = np.zeros((len(places), len(model.names_)), np.float32)
    new = rows.copy()
    rows[:, column], new[:, column] = places, range(len(places))
    np.testing.assert_array_equal(
        merged.booster_.inplace_predict(new, predict_type="margin"),
        model.booster_.inplace_predict(rows, predict_type="margin"),
    )


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("similar sessions, else Markov", "sessions of single users.*fourth-order Markov"),
        ("best possible prediction", "a site can run the model"),
    ],
)
def test_what_names_pages_otherwise_is_refused_in_a_sentence(policy, said, site, tmp_path):
    with pytest.raises(wb.WorkbenchError, match=said):
        wb.export_policy(site, tmp_path / "policy", policy)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(wb.WorkbenchError, match="expected a dict"):
        LoadedPolicy(complete(FOLLOWED)).decide(pd.DataFrame({"pages": [["a"]]}))


PATHS = FOLLOWED | {
    "version": "0123",
    "names": ["/a b", "/caf\u00e9", "/logout", "/x"],
    "limit": 0.3,
    "orders": [{"": [100, 0, 40, 1, 30, 2, 15, 3, 10]}, {"0": [40, 1, 25, 2, 10, 3, 5]}],
    "smoothing": [10.0],
}


def test_speculation_rules_name_safe_paths_only():
    found = SiteRules(PATHS).rules()
    assert set(found) == {"/a b", "/caf\u00e9", "/x"}
    rules = found["/a b"]
    assert rules["tag"] == "workbench-0123"
    now, hover = rules["prefetch"]
    assert (now["eagerness"], now["urls"]) == ("immediate", ["/caf%C3%A9"])  # (25 + 3) / 50
    assert (hover["eagerness"], hover["urls"]) == ("moderate", ["/x"])  # (5 + 1) / 50; "/logout" is left out


def test_a_card_adds_pages_that_are_never_fetched_and_the_queries_that_do_not_matter():
    site = {"never": ["^/x"], "no_vary_search": "params"}
    rules = SiteRules(PATHS | {"site": site}).rules()["/a b"]["prefetch"]
    assert [rule["urls"] for rule in rules] == [["/caf%C3%A9"]]
    assert rules[0]["expects_no_vary_search"] == "params"


def test_the_budget_has_room_for_pages_that_nine_in_ten_views_stay_within(site):
    """Of ten views, eight of 1 kB, one of 5 kB and one of 90 kB; "/c" was measured once in two views."""
    page, size = pd.Series(["/a"] * 7 + ["/b", "/c", "/d"]), np.array([1e3] * 7 + [1e3, 5e3, 9e4])
    train = pd.DataFrame({"page": page, "page_bytes": size}).loc[[*range(10), 8]]
    train.iloc[-1, 1] = np.nan
    content = ship._site(replace(site.split, train=train), wb.PrefetchScenario(k=2), ["/a", "/c", "/d", "/never sized"])
    assert content == {"bytes": [1_000, 5_000, 90_000, 1_000], "byte_budget": 2 * 5_000}


def test_the_requests_of_the_rules_are_between_those_opened_and_the_most(site):
    content = complete(shipped_of(site, site.of("first-order Markov").policy).content)
    requests = SiteRules(content).requests(site.split.train["page"].astype(str).value_counts(normalize=True))
    assert 0 < requests["opened"] < requests["fetched"] <= 3


def test_every_page_finds_its_rules_by_the_index():
    names = ["/100%", "/a b", "/caf\u00e9", "/A B", "/" + "long/" * 60, "/" + "long/" * 60 + "er", "/\u65e5\u672c"]
    found = SiteRules(PATHS | {"names": names, "orders": [{"": [70, *(x for i in range(7) for x in (i, 10))]}]})
    files = found.files()
    index = files.pop("speculation-rules/index.json")
    assert list(index) == names
    assert {page: files[f"speculation-rules/{name}"] for page, name in index.items()} == found.rules()
    assert len({name.lower() for name in index.values()}) == len(files) == 7
    assert all(quote(name) == name and len(name) < 90 for name in index.values())  # as it is in a header and a URL
    assert "/100%25" in files["speculation-rules/" + index["/a b"]]["prefetch"][0]["urls"][:1]


@pytest.mark.parametrize(
    ("budget", "at_once"),
    [(300, ["/c", "/b"]), (100, ["/c"]), (50, []), (1000, ["/c", "/b", "/d"])],  # chances of .3, .5 and .2
)
def test_the_largest_chance_a_byte_is_fetched_first_within_the_budget(budget, at_once):
    content = PATHS | {"names": ["/", "/b", "/c", "/d"], "orders": [{"": [100, 1, 50, 2, 30, 3, 20]}], "most": 3}
    content |= {"limit": 0.1, "smoothing": [], "site": {"bytes": [100, 200, 100, 600], "byte_budget": budget}}
    assert [each["page"] for each in SiteRules(content).pages["/"][0]] == at_once


def test_the_requests_of_the_rules_are_those_of_their_pages():
    """On "/a b", "/caf\u00e9" is fetched at once (chance .56); on "/x" "/a b" (.4) and "/caf\u00e9" (.3)."""
    requests = SiteRules(PATHS).requests({"/a b": 0.5, "/logout": 0.25, "/x": 0.25})
    assert requests == {"fetched": pytest.approx(0.5 + 0.25 * 2), "opened": pytest.approx(0.5 * 0.56 + 0.25 * 0.7)}


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        (Pages(), None),
        (Pages(ids="auto"), "params"),
        (Pages(keep_query=("id", "a b")), 'key-order, params, except=("id" "a%20b")'),
        (Pages(keep_query=("*",), ids="auto"), None),
    ],
)
def test_queries_that_a_card_cuts_are_expected_not_to_vary(pages, expected, site):
    split = replace(site.split, card=replace(site.split.card, pages=pages))
    shipped = site.decision.shipped(site.of("never").policy, split, site.scenario, site.known_by)
    assert shipped.content["site"].get("no_vary_search") == expected


@pytest.mark.parametrize(
    "page",
    [
        *("/dologout", "/userlogout", "/logoutUser", "/sign%2Dout", "/sign%20out", "/log%6fut", "/LogOut", "/signoff"),
        *("/shoppingcart", "/mycart", "/addToCart", "/addtocart", "/carts", "/orders/123", "/checkouts", "/myaccount"),
        *("/deleteAccount", "/removeItem", "/passwordreset", "/shop;jsessionid=1A2B", "/a/../../b", "/a/%2E%2e"),
        *("/%2f/evil.com", "/a%252fb", "/%5Cevil.com", "/a%0Ab", "/a%3Fb=1"),
        *("/logout", "/user/sign-out", "/cart", "/shop/checkout/", "/api/x", "/a?b=1", "/a#b", "/product/<id>"),
        *(
            "//other.example/a",
            "/\\other.example",
            "https://other.example/",
            "javascript:alert(1)",
            "news",
            "/a\nb",
            "",
        ),
    ],
)
def test_no_rule_fetches_what_is_no_plain_page(page):
    content = PATHS | {"names": ["/a b", page, "/c", "/d"]}
    found = SiteRules(content).rules()
    urls = [url for rules in found.values() for rule in rules["prefetch"] for url in rule["urls"]]
    assert set(urls) == {"/a%20b", "/c", "/d"}
    assert len(found) == 3


@pytest.mark.parametrize(
    "page",
    [
        *("/cartoons", "/cartography", "/wine-cartons", "/discarded", "/blog/accounting", "/accounting-basics"),
        *("/discounts", "/payne", "/addresses", "/insignia", "/design-in-practice", "/orderly", "/borders"),
        *("/paint-remover", "/a..b"),
    ],
)
def test_a_word_within_a_word_is_no_reason(page):
    assert len(SiteRules(PATHS | {"names": [page, "/b", "/c", "/d"]}).rules()) == 4


def test_chromium_accepts_the_rules(browser):
    page = browser.new_page()
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.route("**/*", lambda route: route.fulfill(content_type="text/html", body="<p>There</p>"))
    page.goto("http://localhost/a")
    site = {"no_vary_search": 'key-order, params, except=("id")'}
    for rules in SiteRules(PATHS | {"site": site}).rules().values():
        page.add_script_tag(type="speculationrules", content=json.dumps(rules))
    page.wait_for_timeout(300)
    assert page.evaluate("HTMLScriptElement.supports('speculationrules')")
    assert said == []
    with pytest.raises(Error, match="add_script_tag"):  # a broken one is refused
        page.add_script_tag(type="speculationrules", content='{"prefetch": 5')
    page.close()


def test_rules_of_a_site_are_in_the_folder_and_the_manifest(tmp_path):
    rows = [
        (f"u{i}", f"s{i}", place, page) for i in range(200) for place, page in enumerate(("/", "/news", f"/end{i % 2}"))
    ]
    frame = pd.DataFrame(rows, columns=["user_id", "session_id", "position", "page"])
    views = wb.navigations(frame)
    split = wb.split_by_user(views)
    result = wb.compare(split, wb.train_next_page(split), rules=wb.rules(split))
    folder = wb.export_policy(result, tmp_path / "policy", "first-order Markov")
    file = folder / "speculation-rules" / json.loads((folder / "speculation-rules" / "index.json").read_text())["/"]
    rules = json.loads(file.read_text())
    assert rules["prefetch"][0]["urls"] == ["/news"]
    assert wb.load_policy(folder).content["version"] in rules["tag"]
    file.unlink()
    with pytest.raises(wb.WorkbenchError, match="is missing"):
        wb.load_policy(folder)
