"""Pictures of data, findings and explanations. Each takes ``ax``, returns it, and shows nothing by itself.

Nothing is set globally: the house style holds while a picture is drawn. Every picture names its dataset, says
SIMULATED where it is, and carries an alternative text (``alt_text``) that notebooks and files take along.
"""

from workbench.plotting.comparison import arms, differences, headroom, reliability, sensitivity, who_gains
from workbench.plotting.data import known_context_shares, measured, netinfo_bluntness
from workbench.plotting.explanation import bar, beeswarm, dependence, importance, waterfall
from workbench.plotting.frontier import frontier
from workbench.plotting.images import what_users_see
from workbench.plotting.model_checks import ablation, disagreement, drift, redundancy, retraining, tree_counts
from workbench.plotting.pages import main_flows, session
from workbench.plotting.style import alt_text, label_source, save_figure, set_alt_text, style_context
from workbench.plotting.trials import aging, shares, verdicts

__all__ = [
    "ablation",
    "aging",
    "alt_text",
    "arms",
    "bar",
    "beeswarm",
    "dependence",
    "differences",
    "disagreement",
    "drift",
    "frontier",
    "headroom",
    "importance",
    "known_context_shares",
    "label_source",
    "main_flows",
    "measured",
    "netinfo_bluntness",
    "redundancy",
    "reliability",
    "retraining",
    "save_figure",
    "sensitivity",
    "session",
    "set_alt_text",
    "shares",
    "style_context",
    "tree_counts",
    "verdicts",
    "waterfall",
    "what_users_see",
    "who_gains",
]
