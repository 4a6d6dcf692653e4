"""Files to frames: the readers that a card picks, and the steps from source columns to canonical ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.datasets.cards import Card
from workbench.datasets.schema import MEASURED, as_text, refuse_repeated_columns
from workbench.errors import WorkbenchError, did_you_mean


def read_csv(path: Path) -> pd.DataFrame:
    """Read a CSV file with every cell as text; only an empty cell is missing ("NA" is Namibia)."""
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as err:
        raise WorkbenchError(f"{path.name} is not a CSV file in UTF-8: {str(err).strip()}.") from err


def to_canonical(source: pd.DataFrame, card: Card, constants: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Rename, map values, blank missing markers, and add what holds for every row.

    Parameters
    ----------
    source : DataFrame
        Columns as the source names them.
    card : Card
    constants : mapping, optional
        Canonical column to a value that holds for these rows (a file's own).

    Returns
    -------
    DataFrame
        Canonical names; not yet checked.

    Raises
    ------
    WorkbenchError
        Where a column that the card names is not in the source, or two become one.
    """
    for name in card.columns:
        if name not in source:
            raise WorkbenchError(
                f"{card.name}: expected a column {name!r} (for {card.columns[name]}); got "
                f"{', '.join(map(str, list(source.columns)[:12]))}.{did_you_mean(name, list(map(str, source.columns)))}"
            )
    frame = source.rename(columns=dict(card.columns))
    if card.columns and card.folder is not None:
        frame = frame[list(card.columns.values())]
    if card.missing:
        frame = frame.mask(frame.isin(card.missing))
    refuse_repeated_columns(frame, card.name)
    for name, values in card.values.items():
        if name not in frame:
            raise WorkbenchError(
                f"{card.name}: values are mapped for {name!r}, which no column gives; got "
                f"{', '.join(map(str, list(frame.columns)[:12]))}. Name its source under columns."
            )
        frame[name] = frame[name].replace(dict(values))
    for name in ("os_major", "browser_major"):
        if name in frame and not pd.api.types.is_numeric_dtype(frame[name]):
            frame[name] = as_text(frame[name]).str.extract(r"^\s*(\d+)", expand=False)
    return frame.assign(**{**card.constants, **(constants or {})})


def drop_unmeasured(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows in which something was measured, with a fresh index from 0."""
    measured = frame[[name for name in MEASURED if name in frame]].notna().any(axis=1)
    return frame[measured].reset_index(drop=True)


def add_local_hour(frame: pd.DataFrame) -> pd.DataFrame:
    """Add ``local_hour`` (0 to 23) where the frame has ``measured_at`` in UTC and ``utc_offset_h``, and no hour yet."""
    if "local_hour" in frame or not {"measured_at", "utc_offset_h"} <= set(frame.columns):
        return frame
    utc_hour = frame["measured_at"].dt.hour + frame["measured_at"].dt.minute / 60
    return frame.assign(local_hour=np.floor((utc_hour + frame["utc_offset_h"]) % 24))
