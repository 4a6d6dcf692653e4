"""Writes what the site runs into a folder: both policies, exported from the simulated sets, and the photograph."""

import sys
from pathlib import Path

import workbench as wb
from workbench.decisions.images.scenario import WIDTHS, encode_photo, load_photo

SETS = {"images": "synthetic_measurements", "pages": "synthetic_navigations"}
# Pages of the simulated site weigh about 2 MB; three of these are what a page may fetch at once.
SCENARIOS = {"images": wb.ImageScenario(), "pages": wb.PrefetchScenario(page_bytes=2_000_000)}


def write_photograph(folder: Path) -> None:
    """The three sizes that the image policy picks from."""
    for rendition, width in WIDTHS.items():
        (folder / f"{rendition}.webp").write_bytes(encode_photo(load_photo(), width))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name, dataset in SETS.items():
        if not (folder / name / "manifest.json").exists():
            print(f"{name}: the model of {dataset} (SIMULATED) is trained and exported", flush=True)
            wb.export_policy(wb.study(dataset, scenario=SCENARIOS[name]), folder / name, "model")
    write_photograph(folder)
