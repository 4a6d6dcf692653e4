"""How often does the workbench say "better" where nothing is planted? At most 2 of 20 null worlds may.

Each world is drawn by another seed and studied as any data are: split by time, signal masked, history known.
"""

import sys
from collections import Counter

import workbench as wb

WORLDS, ROWS, MOST_BETTER = 20, 60_000, 2


def main() -> int:
    """Study each world, print its verdict and difference, and count."""
    verdicts: Counter[str] = Counter()
    for seed in range(WORLDS):
        views = wb.measurements(wb.make_measurements(rows=ROWS, seed=seed, planted=False), name=f"null world {seed}")
        result = wb.study_images(views, seed=seed)
        verdicts[result.verdict] += 1
        d = result.difference
        print(f"world {seed:2}: {result.verdict:12} {d.estimate:+.2f} ({d.low:+.2f} to {d.high:+.2f})", flush=True)
    print(", ".join(f"{word} {count}" for word, count in verdicts.most_common()), f"of {WORLDS}")
    return 0 if verdicts["better"] <= MOST_BETTER else 1


if __name__ == "__main__":
    sys.exit(main())
