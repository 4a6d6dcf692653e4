"""The kinds of tables that cards describe: which columns, readers, generators and fields each has."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.datasets.columns import Column
from workbench.datasets.navigation_schema import ASSUMABLE, NAVIGATION_COLUMNS, SOURCE_COLUMNS
from workbench.datasets.schema import COLUMNS, MEASURED


@dataclass(frozen=True)
class Kind:
    """What a card of a kind may say.

    Parameters
    ----------
    columns : tuple of Column
        Canonical columns that a source may give.
    reserved : tuple of str
        Names that a card's own context columns may not take.
    time : str
        The column of times.
    of_a_row : tuple of str
        Columns that differ from row to row and so are no constants.
    assumable : tuple of str
        Quantities that may be assumed.
    known_by : str
        Information set of comparisons, where the card names none.
    readers, generators : tuple of str
        Those that only this kind has.
    fields : tuple of str
        Fields of a card that only this kind has.
    """

    columns: tuple[Column, ...]
    reserved: tuple[str, ...]
    time: str
    of_a_row: tuple[str, ...]
    assumable: tuple[str, ...]
    known_by: str
    readers: tuple[str, ...]
    generators: tuple[str, ...]
    fields: tuple[str, ...]


KINDS = {
    "measurements": Kind(
        columns=COLUMNS,
        reserved=tuple(column.name for column in COLUMNS),
        time="measured_at",
        of_a_row=MEASURED,
        assumable=MEASURED,
        known_by="first_request",
        readers=(),
        generators=("synthetic_network",),
        fields=("lost", "skip", "require"),
    ),
    "navigations": Kind(
        columns=SOURCE_COLUMNS,
        reserved=tuple(dict.fromkeys(column.name for column in (*NAVIGATION_COLUMNS, *COLUMNS))),
        time="viewed_at",
        of_a_row=("page", "session_id", "user_id", "position"),
        assumable=ASSUMABLE,
        known_by="client_js",  # a page's own script does the fetching ahead
        readers=("access_log", "msnbc", "wikispeedia"),
        generators=("synthetic_site",),
        fields=("order", "sections", "session_gap_min", "percent_encoded"),
    ),
}
GENERATED_FROM = ("rows", "seed", "planted")
