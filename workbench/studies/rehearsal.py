"""The log that an A/B test of a comparison's policies would leave, made by replay: to try the way back beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from workbench.checked import checked
from workbench.decisions.decision import Finding
from workbench.decisions.policy import Situations
from workbench.errors import WorkbenchError


@checked
def rehearse(result: Finding, arms: Sequence[str] = ("today", "model"), *, seed: int = 0) -> pd.DataFrame:
    """Draw the users of test into arms, and write down what each arm's policy decides in their views.

    Nothing is measured anew: networks and clicks are those that the views had, so that the log shows what a test of
    this size can tell, never whether a policy works. Its card is marked as simulated.

    Parameters
    ----------
    result : Comparison
    arms : sequence of str
        Names of policies of the comparison, the control arm first; each is the name of its arm.
    seed : int
        Which user is in which arm, all with equal chances.

    Returns
    -------
    DataFrame
        The compared views of test, with ``arm`` and what was sent, for :func:`experiment`; before them the views of
        calibration and validation, without an arm, under the control's policy: history, where users return.

    Raises
    ------
    WorkbenchError
        Where a policy is unknown, named twice or cannot be asked, or the views know no users.

    >>> log = wb.rehearse(result)  # doctest: +SKIP
    """
    decision, split = result.decision, result.split
    if split.cluster != "user_id" or "user_id" not in split.test:
        raise WorkbenchError(f"{split.card.name}: an A/B test draws users; these views know none.")

    if len(set(arms)) < 2 or len(set(arms)) < len(arms):
        raise WorkbenchError(f"arms must name two or more different policies, the control first; got {list(arms)}.")

    def views(part: pd.DataFrame) -> Situations:
        return decision.situations(part, split.card, split.cluster, result.known_by, result.scenario)

    def sent(name: str, there: Situations) -> np.ndarray:
        picked = result.of(name)
        if picked.policy is None or not picked.available:
            raise WorkbenchError(f"{name!r} cannot run in an arm: {picked.reason or 'it knows what came later'}.")
        asked = decision.later_context(there) if picked.reads_later else there
        answer = decision.ask(picked.policy, asked, result.scenario)
        return np.asarray(decision.as_sent(answer, there, result.scenario), object)

    test, before = views(split.test), views(split.held_out)
    drawn = np.random.default_rng(seed).integers(0, len(arms), test.users.max() + 1)[test.users]
    served = np.choose(drawn, [sent(name, test) for name in arms])
    log = test.frame.assign(arm=np.array(arms, object)[drawn], **{decision.served: served})
    history = before.frame.assign(arm=None, **{decision.served: sent(arms[0], before)})
    made = pd.concat([history, log], ignore_index=True).astype({"arm": "str"})
    made.attrs["card"] = replace(split.card, simulated=True)
    return made
