import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import sklearn.exceptions
import xgboost
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict, cross_val_score

import workbench as wb
from workbench.datasets.columns import Column
from workbench.errors import WorkbenchError
from workbench.manifest import describe_file
from workbench.models.boosting import check_device, check_trained_on, rows_hash

FEW = ["user_id", "isp", "city", "os_family", "rtt_ms", "downlink_mbps"]
QUICK = {"max_trees": 6, "min_child_weight": 5, "learning_rate": 0.3}
CASES = {
    "network quality": {
        "kind": wb.NetworkQuality,
        "train": wb.train_network_quality,
        "load": lambda: wb.measurements(wb.make_measurements(rows=2_000)[FEW], known_by="after_accept_ch"),
        "group": "user_id",
        "leave": ("isp", "os_family"),
        "files": {"model.json", "rtt_ms.ubj", "downlink_mbps.ubj"},
        "described": {"heads"},
        "without": "context columns, such as .*; got 'ips'. Did you mean",
    },
    "next page": {
        "kind": wb.NextPage,
        "train": wb.train_next_page,
        "load": lambda: wb.load("synthetic_navigations", rows=1500),
        "group": "session_id",
        "leave": ("history", "device"),
        "files": {"model.json", "counts.json", "trees.ubj"},
        "described": {"layout", "names", "platt"},
        "without": "context columns, or 'history', .*; got 'ips'",
    },
}
ASKS = tuple(lambda model, frame, ask=ask: getattr(model, ask)(frame) for ask in ("predict", "score", "save"))
ASKS += tuple(lambda model, frame, ask=ask: getattr(model, ask) for ask in ("fields", "trees", "kilobytes"))
ASKS += (lambda model, frame: model.removable(),)
OWN_ASKS = {
    wb.NetworkQuality: (lambda model, _: model.quantities, lambda model, frame: model.chance_worse(frame, "rtt_ms", 1)),
    wb.NextPage: (lambda model, frame: model.next_pages(frame, 3), lambda model, frame: model.describe(frame)),
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    given = CASES[request.param]
    quick = QUICK | ({"pairs": 5_000} if given["kind"] is wb.NextPage else {})
    split = wb.split_by_user(given["load"]())
    model = given["train"](split, **quick)
    (trees, *_) = sorted(name for name in given["files"] if name.endswith(".ubj"))
    return SimpleNamespace(**given, quick=quick, trees=trees, split=split, model=model, test=split.test)


def saved_bytes(model, folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in model.save(folder).iterdir()}


def test_its_parameters_are_those_of_the_trees_and_a_few(case):
    extra = (Column("plan", "str", "first_request", ""),)
    model = case.kind(known_by="native_app", extra=extra, without=case.leave, seed=7, max_depth=3, patience=9)
    trees = {"max_depth", "min_child_weight", "learning_rate", "max_trees", "patience", "seed", "device", "linear"}
    assert set(model.get_params()) - {"pairs"} == trees | {"known_by", "extra", "without"}
    assert clone(model).get_params() == model.get_params()
    assert (model.known_by, model.extra, model.without, model.patience) == ("native_app", extra, case.leave, 9)
    assert model.set_params(seed=8, max_depth=2) is model and (model.seed, model.max_depth) == (8, 2)
    with pytest.raises(TypeError, match="max_deep"):
        case.kind(max_deep=3)


def test_a_clone_is_not_trained_and_learns_the_same_from_an_unchanged_frame(case, tmp_path):
    other, split = clone(case.model), case.split
    assert not hasattr(other, "trained_on_")
    before = split.train.copy(deep=True)
    other.fit_split(split)
    pd.testing.assert_frame_equal(split.train, before)
    assert saved_bytes(other, tmp_path / "a") == saved_bytes(case.model, tmp_path / "b")


def test_it_prints_in_one_line(case):
    name, extra = case.kind.__name__, (Column("plan", "str", "never", ""),)
    assert repr(case.kind(extra=extra, seed=3)) == f"{name}(extra=('plan',), seed=3): not trained"
    assert repr(case.model).endswith(f"): {case.model.trees} trees") and "\n" not in repr(case.model)
    assert list(case.model._repr_mimebundle_()) == ["text/plain"]


def test_an_untrained_model_says_so(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for ask in (*ASKS, *OWN_ASKS[case.kind]):
        for error in (WorkbenchError, sklearn.exceptions.NotFittedError):
            with pytest.raises(error, match=rf"not trained yet: call fit\(frame\), or wb\.{case.train.__name__}\("):
                ask(case.kind(), case.test)


def test_it_goes_through_cross_validation_and_grid_search(case):
    model, frame = case.kind(**{**case.quick, "max_trees": 2}), case.split.train.drop(columns="rtt_ms", errors="ignore")
    by_group = {"cv": GroupKFold(2), "groups": frame[case.group]}
    folds = list(GroupKFold(2).split(frame, groups=frame[case.group]))
    expected = [clone(model).fit(frame.iloc[fit]).score(frame.iloc[held_out]) for fit, held_out in folds]
    np.testing.assert_allclose(cross_val_score(model, frame, **by_group), expected)
    assert len(cross_val_predict(model, frame, **by_group)) == len(frame)
    search = GridSearchCV(model, {"max_depth": [1, 4]}, cv=2).fit(frame)
    assert search.best_estimator_.score(frame) == search.score(frame)


def test_it_says_what_it_reads_and_can_be_trained_without(case):
    model, split = case.model, case.split
    assert set(case.leave) <= set(model.removable())
    one, other = case.leave
    bare = model.refit(split, without=(other,)).refit(split, without=[one, other])
    assert bare.without == (other, one) and set(bare.removable()) == set(model.removable()) - set(case.leave)
    assert {each for each in case.leave if each in split.train}.isdisjoint(bare.fields)
    assert (model.without, bare.trained_on_) == ((), model.trained_on_)
    with pytest.raises(WorkbenchError, match=f"without must name {case.without}"):
        model.refit(split, without=("ips",))


def test_it_belongs_to_the_split_that_trained_it(case):
    model, split = case.model, case.split
    check_trained_on(model, split, "how")
    assert model.trained_on_ == rows_hash(split.train) != rows_hash(split.test)
    other = split.train.copy()
    changed = "page" if "page" in other else "rtt_ms"
    other[changed] = other[changed].iloc[::-1].to_numpy()
    assert rows_hash(other) != rows_hash(split.train)
    with pytest.raises(WorkbenchError, match=r"trained on other rows than this split.*Train it on this split: how"):
        check_trained_on(model, wb.split_by_user(case.load(), seed=1), "how")
    for untrained in (case.kind(), "a model"):
        with pytest.raises(WorkbenchError, match="expected a trained model, as from how; got"):
            check_trained_on(untrained, split, "how")


def test_the_information_set_is_the_cards_unless_another_is_given(case):
    assert case.model.known_by == case.split.card.known_by
    assert case.train(case.split, known_by="client_js", **case.quick).known_by == "client_js"


def test_a_saved_model_answers_bit_for_bit(case, tmp_path):
    model, read = case.model, case.kind.load(case.model.save(tmp_path / "deep" / "folder"))
    first, again = (pd.Series(each.predict(case.test)) for each in (model, read))
    pd.testing.assert_series_equal(first, again, check_exact=True)
    assert (read.score(case.test), read.fields) == (model.score(case.test), model.fields)
    assert read.get_params() == model.get_params()
    assert (read.trees, read.kilobytes, read.trained_on_) == (model.trees, model.kilobytes, model.trained_on_)
    assert (read.train_seconds_, model.train_seconds_ > 0) == (None, True)
    assert saved_bytes(read, tmp_path / "again") == saved_bytes(model, tmp_path / "first")


def test_its_files_name_no_user_and_no_clock(case, tmp_path):
    files = saved_bytes(case.model, tmp_path)
    manifest = json.loads(files.pop("manifest.json"))
    assert set(files) == case.files == set(manifest["files"])
    assert case.model.kilobytes == sum(each["bytes"] for each in manifest["files"].values()) / 1000
    assert set(manifest["fields"]) == set(case.model.fields) and manifest["versions"]["xgboost"] == xgboost.__version__
    assert set(json.loads(files["model.json"])) == {"params", "trained_on"} | case.described
    users = {f'"{user}"'.encode() for user in case.split.train["user_id"].unique()}
    assert not any(user in content for user in users for content in files.values())


SECOND_PROCESS = """
import json, pickle, sys
from pathlib import Path
kind, parameters, frame = pickle.loads(Path(sys.argv[1]).read_bytes())
kind(**parameters).fit(frame).save(sys.argv[2])
"""


def test_the_same_seed_saves_the_same_bytes_in_another_process_on_more_threads(case, tmp_path):
    (tmp_path / "given").write_bytes(pickle.dumps((case.kind, case.quick, case.split.train)))
    command = [sys.executable, "-c", SECOND_PROCESS, str(tmp_path / "given"), str(tmp_path / "there")]
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "7"}
    subprocess.run(command, check=True, env=environment, cwd=Path(__file__).parents[2])
    here, other = (case.kind(seed=seed, **case.quick).fit(case.split.train) for seed in (0, 1))
    there = {path.name: path.read_bytes() for path in (tmp_path / "there").iterdir()}
    assert there == saved_bytes(here, tmp_path / "here")
    assert there[case.trees] != saved_bytes(other, tmp_path / "other")[case.trees]


def change(path: Path, spot: int = -40) -> None:
    content = bytearray(path.read_bytes())
    content[spot] ^= 1
    path.write_bytes(content)


def relist(folder: Path, name: str, content: bytes) -> None:
    """Exchange a file, and put it into the manifest as if it had been saved so."""
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = describe_file(content)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def set_manifest(**changes: object):
    return lambda folder, _: (folder / "manifest.json").write_text(
        json.dumps(json.loads((folder / "manifest.json").read_text()) | changes)
    )


SPOILT = {
    "no folder": (lambda folder, _: shutil.rmtree(folder), "holds no saved model: expected manifest.json there"),
    "no manifest": (lambda folder, _: (folder / "manifest.json").unlink(), "expected manifest.json there"),
    "a manifest that is no JSON": (lambda folder, _: (folder / "manifest.json").write_text("{"), "is no JSON"),
    "a list": (lambda folder, _: (folder / "manifest.json").write_text("[]"), "expected a JSON object"),
    "nested": (lambda folder, _: (folder / "manifest.json").write_text("[" * 200_000), "is no JSON"),
    "a giant number": (lambda folder, _: (folder / "manifest.json").write_text('{"format": ' + "9" * 5000), "no JSON"),
    "a newer format": (set_manifest(format=99), "expected saved model format 3; got 99. Train the model and save it"),
    "an older format": (set_manifest(format=2), "expected saved model format 3; got 2. Train the model and save it"),
    "a file outside": (set_manifest(files={"model.json": {}, "../x": {}}), "does not list model.json and files beside"),
    "nothing listed": (set_manifest(files=5), "does not list model.json"),
    "no size": (set_manifest(files={"model.json": 5}), "model.json was changed"),
    "trees that are missing": (
        lambda folder, trees: (folder / trees).unlink(),
        "is missing. Copy the folder again, or",
    ),
    "trees that are a folder": (
        lambda folder, trees: ((folder / trees).unlink(), (folder / trees).mkdir()),
        "is missing. Copy the folder again, or",
    ),
    "empty trees": (lambda folder, trees: (folder / trees).write_bytes(b""), r"was cut since it was written \(0 bytes"),
    "one bit": (lambda folder, trees: change(folder / trees), "was changed since it was written"),
    "one digit": (lambda folder, _: change(folder / "model.json"), "model.json was changed since it was written"),
    "another file": (
        lambda folder, trees: shutil.copy(folder / "model.json", folder / trees),
        "was c(hanged|ut) since",
    ),
    "another text": (lambda folder, _: relist(folder, "model.json", b"[]"), "expected a JSON object"),
    "no parameters": (lambda folder, _: relist(folder, "model.json", b"{}"), "holds no saved N"),
    "other parameters": (lambda folder, _: relist(folder, "model.json", b'{"params": 5}'), "holds no saved N"),
    "trees of nothing, listed": (lambda folder, trees: relist(folder, trees, b""), "holds no saved N"),
    "trees of words, listed": (lambda folder, trees: relist(folder, trees, b"{nothing}"), "holds no saved N"),
}


@pytest.mark.parametrize("spoilt", SPOILT)
def test_a_model_that_is_spoilt_or_of_another_format_is_refused_and_can_be_saved_anew(case, tmp_path, spoilt):
    spoil, words = SPOILT[spoilt]
    folder = case.model.save(tmp_path / "model")
    spoil(folder, case.trees)
    with pytest.raises(WorkbenchError, match=words) as caught:
        case.kind.load(folder)
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)
    case.kind.load(case.model.save(folder))
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_model_of_the_other_kind_is_refused(case, tmp_path):
    other = wb.NextPage if case.kind is wb.NetworkQuality else wb.NetworkQuality
    with pytest.raises(WorkbenchError, match=f"holds no saved {other.__name__}"):
        other.load(case.model.save(tmp_path))


def test_nothing_else_in_a_folder_is_replaced(case, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(WorkbenchError, match="holds files that are no saved model"):
        case.model.save(tmp_path)
    with pytest.raises(WorkbenchError, match="is not a folder"):
        case.model.save(tmp_path / "notes.txt")
    for where in ("~nobody-such/x", None, "x" * 5000, "a\0b"):
        for wrong in (case.model.save, case.kind.load):
            with pytest.raises(WorkbenchError, match=r"could not|expected the path of a folder") as caught:
                wrong(where)
            assert len(str(caught.value)) < 300
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"known_by": "now"}, "known_by must be one of first_request"),
        ({"seed": -1}, "seed must be a whole number from 0 to 2,147,483,647; got -1"),
        ({"device": "gpu"}, "device must be 'cpu' or 'cuda'; got 'gpu'"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(case, parameters, words):
    with pytest.raises(WorkbenchError, match=words):
        case.kind(**parameters).fit(case.split.train)


@pytest.mark.parametrize("given", [{"calibration": pd.Series([1])}, {"y": pd.Series([1])}, {"calibration": [1, 2]}])
def test_answers_come_in_the_frame_and_not_apart(case, given):
    with pytest.raises(WorkbenchError, match=r"expected a second frame for calibration, or none; got .*Leave y out"):
        case.kind(**case.quick).fit(case.split.train, **given)


@pytest.mark.skipif(xgboost.build_info()["USE_CUDA"], reason="This XGBoost brings CUDA.")
def test_cuda_is_an_error_and_never_a_silent_run_on_the_cpu(case):
    model = case.kind(device="cuda")
    with pytest.raises(WorkbenchError, match=r"this one has none\. Install the extra 'gpu' instead of 'cpu', or use"):
        model.fit(case.split.train)
    assert not hasattr(model, "trained_on_")


def test_cuda_is_an_error_where_there_is_no_gpu(monkeypatch):
    def fails(*args: object) -> None:
        raise xgboost.core.XGBoostError("no CUDA-capable device is detected")

    monkeypatch.setattr(xgboost, "build_info", lambda: {"USE_CUDA": True})
    monkeypatch.setattr(xgboost, "train", fails)
    with pytest.raises(WorkbenchError, match=r"device='cuda': no usable GPU was found\. Use device='cpu'"):
        check_device("cuda")
