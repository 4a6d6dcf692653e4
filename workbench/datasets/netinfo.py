"""What browsers say of network and device (Network Information API, client hints), in the spellings that they send."""

from __future__ import annotations

import numpy as np
import pandas as pd

from workbench.datasets.columns import FLAG, FLAG_WORDS, NUMBER, as_text, distinct, listed, showable
from workbench.datasets.schema import BY_NAME

UNKNOWN = ("", "undefined", "null", "nan")  # what scripts write where there is no value
# Of a browser that is offline, or does not know.
NO_CLASS = ("unknown", "offline", "none")
NUMBERS = ("netinfo_rtt_ms", "netinfo_downlink_mbps")  # 0 while a browser knows nothing; it rounds to 25 ms, 25 kbit/s
# Types of the API that tell no more than "unknown" (W3C, Network Information API, ConnectionType).
VAGUE = {"other": "unknown", "mixed": "unknown", "wimax": "unknown", "wi-fi": "wifi"}
CLASSES = dict.fromkeys(("slow_2g", "slow 2g", "slow2g"), "slow-2g")
NAMES = ("os_family", "browser", "device")  # structured headers put names in quotes (RFC 8941)
QUOTED = r'^\s*"([^"]*)"\s*$'
WORDS = {"effective_type": CLASSES, "connection_type": VAGUE}
ODD_SHARE = 0.01


def read_hints(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """What browsers say in canonical words, and a sentence for each column with values that no browser sends.

    Of numbers and flags, "undefined", "null" and an empty text are missing; so are a NetInfo round-trip time or
    throughput that is not above 0 or not finite, and the class of a browser that is offline: it is no signal. Letter
    case, "_" for "-", and quotes around names do not matter. An odd value in up to 1 % of the rows (at least one row)
    becomes missing; more are left for the check of the table.
    """
    known = [name for name in frame if name in BY_NAME]
    hints = [name for name in known if BY_NAME[name].dtype in (NUMBER, FLAG) or name in (*NAMES, *WORDS)]
    read = {name: _spelled(frame[name], name) for name in hints if not _is_plain(frame[name], name)}
    said = []
    for name in (*WORDS, *NUMBERS, "save_data"):
        odd = _odd(read[name]) if name in read else np.zeros(len(frame), bool)
        if 0 < odd.sum() <= max(1, ODD_SHARE * len(frame)):
            words = listed([str(showable(word)) for word in sorted(set(read[name][odd].astype(str)))[:3]])
            said.append(f"No browser sends {words} as {name}: missing in {int(odd.sum()):,} of {len(frame):,} rows.")
            read[name] = read[name].mask(odd)
    return frame.assign(**read), said


def _is_plain(values: pd.Series, name: str) -> bool:
    """Whether values are numbers or truth values already; those of NetInfo need a look all the same."""
    return pd.api.types.is_numeric_dtype(values) and name not in NUMBERS


def _odd(values: pd.Series) -> np.ndarray:
    """Where a column holds a value that its table would refuse (boolean, shape (rows,))."""
    name = str(values.name)
    if name in NUMBERS:
        fine = pd.to_numeric(values, errors="coerce").notna()
    elif name in WORDS:
        fine = values.isin(BY_NAME[name].allowed)
    else:
        fine = as_text(values).str.strip().str.lower().isin(FLAG_WORDS)
    return (values.notna() & ~fine).to_numpy(bool)


def _spelled(values: pd.Series, name: str) -> pd.Series:
    """A column's values in canonical words; each distinct one is read once."""
    codes, given = distinct(values)
    given = given.astype(object)
    text = as_text(given).str.replace(QUOTED, r"\1", regex=True)
    lower = text.str.strip().str.lower()
    gone = lower.isin(UNKNOWN)
    if name in NUMBERS:
        numbers = pd.to_numeric(lower, errors="coerce")
        gone |= numbers.le(0) | numbers.abs().eq(float("inf"))
    if name in WORDS:
        text = lower.replace(WORDS[name])
        gone |= lower.isin(NO_CLASS if name == "effective_type" else ("none",))
    elif name not in NAMES:
        text = given
    return pd.Series(text.mask(gone).reindex(codes).array, values.index, name=values.name)
