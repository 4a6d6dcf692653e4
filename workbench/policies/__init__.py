"""Policies: from context to action. They decide; counting is done in features, learning in models."""

from workbench.policies.calling import needs
from workbench.policies.images import EffectiveType, ImagePolicy, OneRendition, TrueChance, image_rules
from workbench.policies.lookup_tables import Lookup
from workbench.policies.prefetch import (
    GuessJs,
    Markov,
    Never,
    PrefetchPolicy,
    Quicklink,
    UsualNext,
    popular,
    prefetch_rules,
    true_next,
)

__all__ = [
    "EffectiveType",
    "GuessJs",
    "ImagePolicy",
    "Lookup",
    "Markov",
    "Never",
    "OneRendition",
    "PrefetchPolicy",
    "Quicklink",
    "TrueChance",
    "UsualNext",
    "image_rules",
    "needs",
    "popular",
    "prefetch_rules",
    "true_next",
]
