"""Counts that hold a row's own next page tell the answer: the check, and the same check with the guard broken."""

import numpy as np
import pandas as pd
import pytest

from workbench.datasets import navigations
from workbench.decisions.prefetch.answers import pair_chances
from workbench.evidence.calibration import Calibration, measure_calibration
from workbench.features.page_features import fit_layout
from workbench.models import NextPage
from workbench.models import next_page as next_page_training
from workbench.models.next_page import Rows, honest_rows, join_rows

PAGES = np.array([f"p{i:03}" for i in range(200)])


def shuffled_site(sessions: int, seed: int) -> pd.DataFrame:
    """Every click goes anywhere: nearly all pairs of pages come once, and tell nothing of what follows."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 8, sessions)
    page = np.cumsum(rng.integers(1, len(PAGES), lengths.sum())) % len(PAGES)  # never the same page twice running
    return navigations(
        pd.DataFrame({"session_id": np.repeat(np.arange(sessions), lengths), "page": PAGES[page]}), name="shuffled"
    )


@pytest.fixture(scope="module")
def train() -> pd.DataFrame:
    return shuffled_site(3000, seed=0)


@pytest.fixture(scope="module")
def unseen() -> pd.DataFrame:
    return shuffled_site(2000, seed=1)


@pytest.fixture
def leaky(monkeypatch):
    """The guard broken on purpose: each stretch is counted with itself."""
    honest = next_page_training.earlier_and_own

    def counts_its_own(frame, starts):
        for earlier, own in honest(frame, starts):
            yield pd.concat([earlier, own]), own

    monkeypatch.setattr(next_page_training, "earlier_and_own", counts_its_own)


def found_again(rows: Rows) -> float:
    """Of the candidates that followed the same two pages before, the share that was opened next."""
    return rows.answer[rows.matrix[:, rows.names.index("second_count")] > 0].mean()


def judged(train: pd.DataFrame, unseen: pd.DataFrame) -> Calibration:
    model = NextPage(max_trees=40, learning_rate=0.3, min_child_weight=5).fit(train)
    return measure_calibration(*pair_chances(model.next_pages(unseen, 10), unseen))


def described(train: pd.DataFrame) -> Rows:
    return join_rows(honest_rows(train, fit_layout(train, "client_js"), None, 10**6, 0))


def test_what_was_counted_before_tells_nothing_where_nothing_is_to_be_told(train):
    assert found_again(described(train)) < 3 / len(PAGES)


def test_the_check_of_the_rows_finds_a_leak(train, leaky):
    assert found_again(described(train)) > 0.1


def test_honest_counts_give_no_more_than_the_share_of_each_page(train, unseen):
    honest = judged(train, unseen)
    assert honest.log_loss < 1.02 * entropy(honest.share)


def test_the_check_of_the_chances_finds_a_leak(train, unseen, leaky):
    broken = judged(train, unseen)
    assert broken.log_loss > 1.2 * entropy(broken.share)
    assert broken.slope < 0.3


def entropy(share: float) -> float:
    """Log-loss of one chance for all pairs: nothing better can be said of a shuffled site."""
    return -(share * np.log(share) + (1 - share) * np.log(1 - share))
