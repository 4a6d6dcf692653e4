"""Pictures of data, findings and explanations. Each takes ``ax``, returns it, and shows nothing by itself.

Nothing is set globally: the house style holds while a picture is drawn. Every picture names its dataset, says
SIMULATED where it is, and carries an alternative text (``alt_text``) that notebooks and files take along.
"""

from workbench.plotting.checks import drift, habits, redundancy
from workbench.plotting.dependence_lines import dependence
from workbench.plotting.explanation import bar, beeswarm, waterfall
from workbench.plotting.feature_ranking import importance
from workbench.plotting.navigation import main_flows, session
from workbench.plotting.network import known_context_shares, measured, netinfo_bluntness
from workbench.plotting.outcomes import differences, headroom, reliability
from workbench.plotting.parting import disagreement, separating
from workbench.plotting.photos import member_view
from workbench.plotting.robustness import sensitivity
from workbench.plotting.saving import save_figure
from workbench.plotting.segments import who_gains
from workbench.plotting.style import alt_text, label_source, set_alt_text, style_context
from workbench.plotting.tradeoff import frontier

__all__ = [
    "alt_text",
    "bar",
    "beeswarm",
    "dependence",
    "differences",
    "disagreement",
    "drift",
    "frontier",
    "habits",
    "headroom",
    "importance",
    "known_context_shares",
    "label_source",
    "main_flows",
    "measured",
    "member_view",
    "netinfo_bluntness",
    "redundancy",
    "reliability",
    "save_figure",
    "sensitivity",
    "separating",
    "session",
    "set_alt_text",
    "style_context",
    "waterfall",
    "who_gains",
]
