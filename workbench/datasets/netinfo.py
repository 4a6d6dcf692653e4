"""What browsers say of network and device (Network Information API, client hints), in the spellings that they send."""

from __future__ import annotations

import pandas as pd

from workbench.datasets.columns import FLAG, NUMBER, as_text, distinct
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


def read_hints(frame: pd.DataFrame) -> pd.DataFrame:
    """What browsers say in canonical words.

    Of numbers and flags, "undefined", "null" and an empty text are missing; so are a NetInfo round-trip time or
    throughput that is not above 0 or not finite, and the class of a browser that is offline: it is no signal. Letter
    case, "_" for "-", and quotes around names do not matter. Other values stay.
    """
    known = [name for name in frame if name in BY_NAME]
    hints = [name for name in known if BY_NAME[name].dtype in (NUMBER, FLAG) or name in (*NAMES, *WORDS)]
    return frame.assign(**{name: _spelled(frame[name], name) for name in hints if not _is_plain(frame[name], name)})


def _is_plain(values: pd.Series, name: str) -> bool:
    """Whether values are numbers or truth values already; those of NetInfo need a look all the same."""
    return pd.api.types.is_numeric_dtype(values) and name not in NUMBERS


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
