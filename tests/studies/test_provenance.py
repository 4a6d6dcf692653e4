"""Where a figure comes from."""

import pandas as pd

from workbench.studies.comparison import frame_sha256, trace_origin


def test_the_hash_sees_values_names_types_and_order():
    frame = pd.DataFrame({"a": [1.0, 2.0]})
    others = [
        pd.DataFrame({"a": [1.0, 3.0]}),
        pd.DataFrame({"b": [1.0, 2.0]}),
        pd.DataFrame({"a": ["1.0", "2.0"]}),
        frame[::-1],
    ]
    hashes = {frame_sha256(other) for other in [frame, *others]}
    assert len(hashes) == 5
    assert frame_sha256(frame.copy()) in hashes


def test_provenance_names_data_code_and_packages(little):
    origin, studied = trace_origin(little.split), dict(little.provenance)
    assert set(origin) == set(studied) >= {"dataset", "frame_sha256", "split_seed", "commit"}
    # The study may lie in a file since an earlier commit of the same code.
    assert {name: value for name, value in origin.items() if name != "commit" and studied[name] != value} == {}
    assert all(origin["packages"].values())
    assert len(origin["frame_sha256"]) == 64
