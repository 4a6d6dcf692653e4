import pandas as pd
import pytest

from workbench.datasets import COLUMNS, NAVIGATION_COLUMNS, label, measurements, navigations, unit
from workbench.datasets.cards import read_card
from workbench.errors import WorkbenchError


def test_every_canonical_column_has_a_label_without_underscores_and_numbers_that_need_it_a_unit():
    for column in (*COLUMNS, *NAVIGATION_COLUMNS):
        assert label(column.name)
        assert "_" not in label(column.name)
    ends = {"_ms": "ms", "_mbps": "Mbit/s", "_s": "s", "_h": "h", "_bytes": "bytes"}
    for column in (*COLUMNS, *NAVIGATION_COLUMNS):
        expected = [said for end, said in ends.items() if column.name.endswith(end) and column.dtype == "float64"]
        assert unit(column.name) == (expected or [""])[0], column.name


def test_the_cards_label_goes_before_the_canonical_one_and_an_unknown_name_is_read_with_spaces():
    card = measurements(pd.DataFrame({"rtt_ms": [1.0]}), labels={"rtt_ms": "ping"}).attrs["card"]
    assert (label("rtt_ms"), label("rtt_ms", card), label("isp", card)) == ("round-trip time", "ping", "provider")
    assert (label("target_region", card), unit("target_region")) == ("target region", "")


def test_own_navigations_and_a_cards_own_column_have_labels(tmp_path):
    clicks = pd.DataFrame({"session_id": [1, 1], "page": ["/", "/a"]})
    assert label("page", navigations(clicks, labels={"page": "product"}).attrs["card"]) == "product"
    path = tmp_path / "ours.toml"
    text = '[columns]\nr = "rtt_ms"\nt = "plan"\n[context.plan]\ntype = "text"\nlevel = "client_js"\n[labels]\n'
    path.write_text(text + 'plan = "tariff"\nasn = "operator"\n')
    assert [label(name, read_card(path)) for name in ("plan", "asn", "rtt_ms")] == [
        "tariff",
        "operator",
        "round-trip time",
    ]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ('labels = { rtt = "ping" }', "labelled column must be one of .*; got 'rtt'. Did you mean 'rtt_ms'"),
        ("labels = { rtt_ms = 5 }", "labels.rtt_ms must be text; got 5"),
        ("labels = 5", "labels must be a table; got 5"),
    ],
)
def test_a_label_that_cannot_be_is_refused(tmp_path, entry, expected):
    (tmp_path / "ours.toml").write_text(entry)
    with pytest.raises(WorkbenchError, match=f"^ours: .*{expected}"):
        read_card(tmp_path / "ours.toml")
