"""Do the counts give what others found? Next pages under the 80/20 protocol, beside earlier figures.

Repeats collapsed; the first 80 % of the sessions, in order of time or file, against the last 20 %. Top-1 / top-3: share
of navigations whose page was the likeliest, or among the three likeliest. The earlier figures are those of quick
baselines seen while the data sets were chosen (one seed, untuned). A Markov chain or popular pages further than 0.02
from them fail the benchmark; the model, which was another there, stands beside for orientation.
"""

import sys
import time

import numpy as np
import pandas as pd

import workbench as wb
from workbench.datasets.readers import links_of
from workbench.datasets.splits import card_of
from workbench.decisions.prefetch.answers import PAGES_ASKED, judge_answer
from workbench.decisions.prefetch.markov import Markov, NextPages
from workbench.features.pages import PageCounts, session_numbers

TRAIN_SHARE, TOLERANCE = 0.8, 0.02
SMOOTHING = (20.0, 20.0)
EARLIER = {
    "eshop2008": {"popular": (0.017, 0.045), "first-order Markov": (0.151, 0.297), "model": (0.171, 0.315)},
    "msnbc": {
        "popular": (0.250, 0.465),
        "first-order Markov": (0.286, 0.547),
        "second-order Markov": (0.417, 0.634),
        "model": (0.418, 0.644),
    },
    "wikispeedia": {"popular": (0.040, 0.069), "first-order Markov": (0.158, 0.329), "model": (0.183, 0.371)},
}


def main() -> int:
    """Print a line a set and source; 1 where one is too far off."""
    far = 0
    for name, earlier in EARLIER.items():
        views = wb.load(name)
        sessions = session_numbers(views)
        late = sessions >= np.round(TRAIN_SHARE * (sessions[-1] + 1))
        train, test = views[~late], views[late]
        counts, card = PageCounts.fit(train), card_of(views)
        model = wb.NextPage(known_by=card.known_by, extra=card.context).fit(train, links=links_of(views))
        print(f"{name}: {len(train):,} views train, {len(test):,} test; model {model.train_seconds_:.0f} s")
        sources = {"popular": 0, "first-order Markov": 1, "second-order Markov": 2}
        rules = {source: Markov(order, SMOOTHING, counts=counts) for source, order in sources.items()}
        answers = rules | {"model": model}
        for source, answer in answers.items():
            far += not report(source, answer, test, earlier.get(source))
    print(
        "all within" if not far else f"{far} further than", f"{TOLERANCE} of the earlier figures (models do not count)"
    )
    return 1 if far else 0


def report(source: str, answer: NextPages, test: pd.DataFrame, earlier: tuple[float, float] | None) -> bool:
    """Print what a source reached beside the earlier figures; whether it is near enough."""
    started = time.perf_counter()
    ranking = judge_answer(answer.next_pages(test, PAGES_ASKED), test)
    seconds = time.perf_counter() - started
    found = ranking.top1, ranking.top3
    beside = "earlier    -  /    - " if earlier is None else f"earlier {earlier[0]:.3f} / {earlier[1]:.3f}"
    print(
        f"  {source:20} {found[0]:.3f} / {found[1]:.3f}  {beside}  "
        f"mrr {ranking.mrr:.3f}  recall {ranking.recall:.3f}  ece {ranking.ece:.4f}  {seconds:.0f} s",
        flush=True,
    )
    return earlier is None or source == "model" or np.abs(np.subtract(found, earlier)).max() <= TOLERANCE


if __name__ == "__main__":
    sys.exit(main())
