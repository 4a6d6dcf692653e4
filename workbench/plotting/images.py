"""Pictures of image delivery alone: the photograph as users see it."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from workbench.checked import checked
from workbench.decisions.decision import PolicyResult
from workbench.decisions.images.decision import ImageDetail
from workbench.decisions.images.replay import TypicalView, typical_view
from workbench.decisions.images.scenario import photo_as_sent
from workbench.errors import WorkbenchError
from workbench.evidence.verdict import SLOWEST_SHARE
from workbench.plotting.labels import PARTS, name_of, part_of
from workbench.plotting.style import MUTED, VERMILLION, WORDS, axes_or_new, finish, style_context
from workbench.studies.comparison import Comparison

FEWEST_IN_A_FIFTH = 5  # users; nobody is to be recognised by what they get
WIDTH, GAP, CAPTION = 1.0, 0.05, 0.26  # of a picture and between pictures, in widths of a picture
DETAIL = (slice(90, 304), slice(130, 450))  # rows and columns shown: about one pixel of the file in one of the page
HEADING_WIDTH = 24  # characters


@checked
@style_context()
def what_users_see(result: Comparison, *, ax: Axes | None = None) -> Axes:
    """The photograph as today's rule, the best rule and the model would send it, to slow and to fast users.

    No real person is shown. Each row is the typical view of a fifth of the test users, the slowest and the fastest by
    the load time of the smallest rendition: the rendition that most of their views get, and the median load time of all
    of them as sent. Only a detail of the photograph is shown, so that the renditions can be told apart.

    Returns
    -------
    Axes
        One column a policy, one row a fifth of the users.

    Raises
    ------
    WorkbenchError
        If the comparison is of another decision, a fifth of the users is under 5, or a rendition has no known width.
    """
    if not isinstance(result.detail, ImageDetail):
        raise WorkbenchError(
            f"what_users_see draws a comparison of image delivery; this one is of {result.decision.name}."
        )
    fifth, people = round(SLOWEST_SHARE * result.test_users), result.people
    if fifth < FEWEST_IN_A_FIFTH:
        raise WorkbenchError(
            f"{result.split.card.name}: a fifth of the {result.test_users:,} {people} of test is under "
            f"{FEWEST_IN_A_FIFTH}, and nobody is to be recognised by what they get; take more rows."
        )
    columns = _policies(result)
    members = {f"slowest fifth\nof {people}": result.detail.slow, f"fastest fifth\nof {people}": result.detail.fast}
    names = result.scenario.ladder.names
    photos = {name: photo_as_sent(name)[DETAIL] for name in names}
    height = WIDTH * photos[names[0]].shape[0] / photos[names[0]].shape[1]
    headings = [textwrap.fill(name_of(result, policy), HEADING_WIDTH) for policy in columns]
    ax = axes_or_new(ax, 5.0 + 0.17 * max(heading.count("\n") + 1 for heading in headings))
    said = []
    for row, (member, group) in enumerate(members.items()):
        for column, policy in enumerate(columns):
            assert policy.outcomes is not None
            view = typical_view(policy.outcomes, group)
            left, top = column * (WIDTH + GAP), row * (height + CAPTION)
            name = names[view.rendition]
            ax.imshow(photos[name], extent=(left, left + WIDTH, top + height, top), zorder=2)
            late = view.load_ms > result.scenario.budget_ms
            caption = [(f"{name}: {100 * view.share:.0f} % of views", MUTED)]
            caption.append((f"late: {_median(view)}", WORDS[VERMILLION]) if late else (_median(view), MUTED))
            _write_caption(ax, left + WIDTH / 2, top + height, caption)
            said.append(f"{part_of(result, policy)} to the {member.replace(chr(10), ' ')}: {_in_words(view, name)}")
    _name_cells(ax, headings, list(members), height)
    for tick, policy in zip(ax.get_xticklabels(), columns, strict=True):
        tick.set(color=WORDS[PARTS[part_of(result, policy)]["color"]], fontweight="bold", fontsize=10)
    ax.set_xlabel(
        f"A detail of one of a view's {result.scenario.images_per_view} images. Captions: what most views of the group "
        "get,\nand the median time until all images are there",
        color=MUTED,
        fontsize=10,
    )
    return finish(ax, result.split.card, f"A photograph as it is sent. {'; '.join(said)}.")


def _policies(result: Comparison) -> list[PolicyResult]:
    """Today's rule, the best rule and the model; one column where the first two are one."""
    found = [result.of(which) for which in ("today", "best_rule", "model")]
    return found[1:] if found[0] is found[1] else found


def _in_words(view: TypicalView, name: str) -> str:
    return f"{name} in {100 * view.share:.0f} % of views, {_median(view)}"


def _median(view: TypicalView) -> str:
    return f"median {view.load_ms:,.0f} ms"


def _write_caption(ax: Axes, middle: float, below: float, lines: list[tuple[str, str]]) -> None:
    look: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "va": "top", "fontsize": 11}
    for number, (words, colour) in enumerate(lines):
        ax.annotate(words, (middle, below), (0, -5 - 15 * number), color=colour, **look)


def _name_cells(ax: Axes, headings: list[str], members: list[str], height: float) -> None:
    """Policies above the columns, members beside the rows; nothing else of the axes is visible."""
    ax.set_xticks(WIDTH / 2 + (WIDTH + GAP) * np.arange(len(headings)), headings)
    ax.set_yticks(height / 2 + (height + CAPTION) * np.arange(len(members)), members)
    ax.tick_params(axis="x", top=False, bottom=False, labeltop=True, labelbottom=False)
    ax.set(xlim=(0, len(headings) * (WIDTH + GAP) - GAP), ylim=(len(members) * (height + CAPTION), 0))
    ax.set_aspect("equal")
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
