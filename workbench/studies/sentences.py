"""The sentences of a finding, whichever decision it is about."""

from __future__ import annotations

from workbench.studies import image_sentences, prefetch_sentences
from workbench.studies.comparison import Comparison

_OF = {"image": image_sentences, "prefetch": prefetch_sentences}


def first_screen(result: Comparison) -> dict[str, str]:
    """The sentences of the first screen, by what they tell."""
    return _OF[result.decision].first_screen(result)


def findings(result: Comparison) -> dict[str, str]:
    """One sentence for each heading of a proposal, by what it is about."""
    return _OF[result.decision].findings(result)


def assumptions(result: Comparison) -> list[str]:
    """What the figures rest on, one sentence each."""
    return _OF[result.decision].assumptions(result)
