"""Where a figure comes from."""

import pandas as pd

from workbench.studies.provenance import frame_sha256, trace_origin


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


def test_provenance_names_data_code_and_packages(planted):
    origin = trace_origin(planted.split)
    assert origin == dict(planted.provenance)
    assert all(origin["packages"].values())
    assert len(origin["frame_sha256"]) == 64
