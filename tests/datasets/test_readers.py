import numpy as np
import pandas as pd
import pytest

from workbench.datasets.cards import Card
from workbench.datasets.readers import read_csv
from workbench.errors import WorkbenchError

OURS = Card(name="ours")


def test_every_cell_is_text_and_only_an_empty_one_is_missing(tmp_path):
    (tmp_path / "a.csv").write_text("asn,country,note\n007,NA,nan\n15169,,null\n", encoding="utf-8-sig")
    frame = read_csv(tmp_path / "a.csv", OURS)
    assert frame["asn"].tolist() == ["007", "15169"]
    assert frame["country"].fillna("(missing)").tolist() == ["NA", "(missing)"]
    assert frame["note"].tolist() == ["nan", "null"]


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n3,4,5\n", b"\xff\x00\x01"])
def test_what_is_no_csv_is_refused_by_name_in_one_line(tmp_path, content):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(WorkbenchError, match=r"^a\.csv is not a CSV file in UTF-8: ") as caught:
        read_csv(tmp_path / "a.csv", OURS)
    assert "\n" not in str(caught.value)
