"""What telling two parts apart comes to, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.explanation.inspect_parts import listed
from workbench.explanation.periods import A_SIDE

if TYPE_CHECKING:
    from workbench.explanation.data_checks import Drift

A_COIN, A_LITTLE = 0.5, 0.6  # AUC; up to the second, chosen, parts differ little
NAMED = 3
FEW_USERS = 200  # chosen: a percentile interval of few users is too narrow


def to_finding(result: Drift) -> str:
    """In one line, whether the parts differ."""
    if _is_blind(result):
        return "Too few views to tell whether the parts differ"
    if result.auc.low > A_COIN:
        return f"The second part {'differs' if result.auc.high > A_LITTLE else 'hardly differs'} from the first"
    if result.auc.high <= A_LITTLE:
        return "The second part looks like the first"
    return "It cannot be told whether the parts differ"


def to_sentences(result: Drift) -> tuple[str, ...]:
    """What it means for what was learnt on the first part; and what was not looked at."""
    if _is_blind(result):
        first, second = result.views
        said = (
            f"{first:,} and {second:,} views are too few to tell anything: no split of a tree leaves {A_SIDE} on "
            "either side."
        )
    elif result.auc.low > A_COIN:
        said = _differ(result)
    elif result.auc.high <= A_LITTLE:
        said = f"From context alone nobody can tell the second part from the first: {_auc(result)}."
    else:
        said = (
            f"With {result.fewest:,} {result.people} in the smaller part it cannot be told whether the parts differ: "
            f"{_auc(result)}; that allows for none and for a plain difference."
        )
    return (said, f"History and signals left aside: {listed(result.left_aside)}.") if result.left_aside else (said,)


def _differ(result: Drift) -> str:
    auc = result.auc
    how = (
        "only a little better than a coin"
        if auc.high <= A_LITTLE
        else "plainly"
        if auc.low > A_LITTLE
        else "to some degree"
    )
    meaning = (
        "what was learnt on the first need not hold on the second"
        if auc.high > A_LITTLE
        else "what the model sees has hardly changed"
    )
    named = list(result.telling["feature"][:NAMED])
    by = f" Most is given away by {listed(named)}." if named else " No single feature gives it away."
    if result.fewest < FEW_USERS:
        by += f" With {result.fewest} {result.people} in the smaller part, chance may do this more often than it says."
    return f"Context alone tells the second part from the first {how}: {_auc(result)}; {meaning}.{by}"


def _auc(result: Drift) -> str:
    return f"AUC {result.auc.estimate:.2f} ({result.auc.low:.2f} to {result.auc.high:.2f}; 0.50 is a coin)"


def _is_blind(result: Drift) -> bool:
    """Whether all scores are equal: an interval of no width on a coin comes from nothing else."""
    return result.auc.low == result.auc.high == A_COIN
