"""How often does the workbench say "better" of prefetching where nothing is planted? At most 2 of 20 null sites may.

Each site's people are drawn by another seed and studied as any data are. There the next page depends on the last two
pages alone, which second-order Markov holds once it has seen enough of them. Whether it has is printed beside: what the
true chances gain over the best rule, which is no model's doing.
"""

import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

import workbench as wb
from workbench.datasets import card_folder

SITES, MOST_BETTER = 20, 2
CARD = card_folder() / "synthetic_navigations_null.toml"


def main() -> int:
    """Count the verdicts of null sites; 1 where too many say "better"."""
    verdicts: Counter[str] = Counter()
    left = []
    for seed in range(SITES):
        with tempfile.TemporaryDirectory() as folder:
            card = Path(folder) / f"null_site_{seed}.toml"
            card.write_text(CARD.read_text(encoding="utf-8").replace("seed = 0", f"seed = {seed}"), encoding="utf-8")
            result = wb.study_prefetch(card, seed=seed)
        verdicts[result.verdict] += 1
        left.append(result.against_best_rule["true chances"].estimate)
        model = f"{result.verdict:12} {result.unit.span(result.difference)} {result.unit.name}"
        print(f"site {seed:2}: {model}; the truth {result.unit.factor * left[-1]:+.2f}", flush=True)
    print(", ".join(f"{word}: {count}" for word, count in verdicts.most_common()))
    print(f"the true chances gain {100 * np.mean(left):+.2f} net hits per 100 views over the best rule, on average")
    return int(verdicts["better"] > MOST_BETTER)


if __name__ == "__main__":
    sys.exit(main())
