"""Policies: from context to action. They decide; counting is done in features, learning in models."""

from workbench.policies.images import EffectiveType, ImagePolicy, OneRendition, TrueChance, image_rules, needs
from workbench.policies.lookup_tables import Lookup

__all__ = ["EffectiveType", "ImagePolicy", "Lookup", "OneRendition", "TrueChance", "image_rules", "needs"]
