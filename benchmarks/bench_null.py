"""How often does the workbench say "better" where nothing is planted? At most 2 of 20 null worlds may, and of 20 sites.

The people of each are drawn by another seed, and studied as any data are. On a null site the next page depends on the
last two pages alone, which second-order Markov holds once it has seen enough of them. Whether it has is printed beside:
what the true chances gain over the best rule, which is no model's doing.
"""

import sys
import tempfile
from collections import Counter
from pathlib import Path

import workbench as wb
from workbench.datasets.cards import card_folder

SEEDS, MOST_BETTER = 20, 2


def count_verdicts(name: str) -> Counter[str]:
    """Study a null dataset under every seed, and print a line for each."""
    verdicts: Counter[str] = Counter()
    text = (card_folder() / f"{name}.toml").read_text(encoding="utf-8")
    for seed in range(SEEDS):
        with tempfile.TemporaryDirectory() as folder:
            card = Path(folder) / f"{name}_{seed}.toml"
            card.write_text(text.replace("seed = 0", f"seed = {seed}"), encoding="utf-8")
            result = wb.study(card, seed=seed)
        verdicts[result.verdict] += 1
        truth = result.unit.signed(result.against_best_rule["true chances"].estimate)
        model = f"{result.verdict:12} {result.unit.span(result.difference)} {result.unit.name}"
        print(f"{name} {seed:2}: {model}; the true chances {truth}", flush=True)
    print(name, ", ".join(f"{word}: {count}" for word, count in verdicts.most_common()))
    return verdicts


def main() -> int:
    """1 where too many verdicts say "better"."""
    counted = [count_verdicts(name) for name in ("synthetic_null", "synthetic_navigations_null")]
    return int(any(verdicts["better"] > MOST_BETTER for verdicts in counted))


if __name__ == "__main__":
    sys.exit(main())
