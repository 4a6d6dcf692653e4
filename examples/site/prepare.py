"""Writes what the site runs into a folder: both policies, exported from the simulated sets, and the photograph."""

import sys
from pathlib import Path

import workbench as wb
from workbench.decisions.images.scenario import WIDTHS, encode_photo, load_photo

SETS = {"images": "synthetic_measurements", "pages": "synthetic_navigations"}

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name, dataset in SETS.items():
        if not (folder / name / "manifest.json").exists():
            print(f"{name}: the model of {dataset} (SIMULATED) is trained and exported", flush=True)
            wb.export_policy(wb.study(dataset), folder / name, "model")
    for rendition, width in WIDTHS.items():
        (folder / f"{rendition}.webp").write_bytes(encode_photo(load_photo(), width))
