"""Whether measured numbers are ones that networks have: units mistaken, and single failed measurements."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.datasets.account import count_out, warn
from workbench.datasets.cards import Card
from workbench.datasets.columns import FLAG, FLAG_WORDS, NUMBER, Column, as_text, bad_values, distinct, listed
from workbench.datasets.schema import BY_NAME, LOSABLE, MEASURED, label
from workbench.errors import WorkbenchError

LONG = 1e12  # a number of more digits is shown by its first
SECONDS = (200, 5_000)  # how many times a millisecond's number is that of a second, in samples that differ somewhat
GROUPED = r"[1-9]\d{0,2}(?:,\d{3})+"
BAD_SHARE, FEW_ROWS = 0.01, 10  # one row may be bad from ten rows on, as the one failed test of a week


@dataclass(frozen=True)
class Range:
    """What a quantity may be: its median, any one value, and typical values (to guess a unit by)."""

    median: tuple[float, float]
    value: tuple[float, float]
    typical: tuple[float, float]
    units: tuple[tuple[str, float], ...]  # other units, with the factor that converts them


# Medians: from a data centre's own network to a satellite's with a queue; from a modem to a line of 2 Gbit/s.
RANGES = {
    "rtt_ms": Range(
        median=(1, 5_000),
        value=(0.01, 120_000),  # TCP waits no longer for an answer (Linux, TCP_RTO_MAX)
        typical=(4, 2_000),
        units=(("seconds", 1e3), ("microseconds", 1e-3), ("nanoseconds", 1e-6)),
    ),
    "downlink_mbps": Range(
        median=(1e-3, 2_000),
        value=(1e-5, 400_000),  # to the fastest Ethernet of 2017 (IEEE 802.3bs)
        typical=(0.5, 500),
        units=(("kbit/s", 1e-3), ("bit/s", 1e-6), ("bytes a second", 8e-6), ("Gbit/s", 1e3)),
    ),
    "page_load_ms": Range(
        median=(10, 600_000),
        value=(1, 3_600_000),  # to an hour
        typical=(100, 60_000),
        units=(("seconds", 1e3), ("microseconds", 1e-3)),
    ),
}


def drop_implausible(frame: pd.DataFrame, card: Card) -> pd.DataFrame:
    """Rows whose measured values networks have; those left out are counted: at most 1 %, or one of ten measured rows.

    ``frame`` has canonical columns, not yet checked; a card with ``plausible = false`` keeps all. Raises a
    WorkbenchError if a median is none that networks have, with the likely unit, or if more rows have a value that is
    no number, not above 0, or beyond any network.
    """
    names = [column.name for column in card.facts.columns if column.name in MEASURED and column.name in frame]
    if not card.plausible or not names:
        return frame
    numbers = {name: pd.to_numeric(frame[name], errors="coerce").astype(float) for name in names}
    _refuse_other_units(numbers, card)
    warn(frame, _two_units(numbers))
    bad = {name: _beyond(frame[name], numbers[name]) for name in names}
    rows = np.any([*bad.values()], axis=0)
    count, measured = int(rows.sum()), int(frame[names].notna().any(axis=1).sum())
    if not is_few(count, measured):
        raise WorkbenchError(f"{card.name}: {_in_words(frame, bad, f'{count:,} of {measured:,}', card)}")
    return count_out(frame, rows, "implausible")


def is_few(count: int, of: int) -> bool:
    """Whether so many values may be bad: up to 1 %, and one from ten on."""
    return count <= BAD_SHARE * of or (count == 1 and of >= FEW_ROWS)


def blank_odd(frame: pd.DataFrame, card: Card) -> pd.DataFrame:
    """Values that a column of context cannot have become missing, one or up to 1 %, and a sentence says how many.

    More stay, for the check of the table to refuse. ``frame`` has canonical columns, not yet checked.
    """
    said = []
    for column in (*card.facts.columns, *card.context):
        name = column.name
        if name not in frame or name in MEASURED or column.complete:
            continue
        odd = _odd(frame[name], column)
        if 0 < odd.sum() <= max(1, BAD_SHARE * frame[name].notna().sum()):
            said.append(_missing_in_words(frame[name][odd].astype(str), label(name, card)))
            frame = frame.assign(**{name: frame[name].mask(odd)})
    warn(frame, said)
    return frame


def _odd(values: pd.Series, column: Column) -> np.ndarray:
    """Where a column holds a value that its contract refuses (boolean, shape (rows,))."""
    if column.dtype == NUMBER:
        numbers = pd.to_numeric(values, errors="coerce").astype(float)
        low, high = -np.inf if column.low is None else column.low, np.inf if column.high is None else column.high
        fine = numbers.between(low, high) & np.isfinite(numbers)
    elif column.allowed:
        fine = values.isin(column.allowed)
    elif column.dtype == FLAG and not pd.api.types.is_bool_dtype(values):
        codes, given = distinct(values)
        fine = pd.Series(np.append(as_text(given).str.strip().str.lower().isin(FLAG_WORDS), False)[codes], values.index)
    else:
        return np.zeros(len(values), bool)
    return (values.notna() & ~fine).to_numpy(bool)


def _missing_in_words(bad: pd.Series, what: str) -> str:
    """A name of a person is words; numbers and short codes such as "5g" are not, and are shown."""
    short = sorted({value for value in bad if re.fullmatch(r"(?=.*[\d?])\S{1,8}", value)})[:3]
    count = f"{len(bad):,} values are none" if len(bad) > 1 else "1 value is none"
    shown = f" (such as {listed(short)})" if short else ""
    return f"Of {what}, {count} that it can have{shown}: missing."


def _beyond(values: pd.Series, numbers: pd.Series) -> np.ndarray:
    """Where a value is no number, or none that any network has (boolean, shape (rows,))."""
    name = str(values.name)
    fine = numbers.between(*RANGES[name].value)
    if name == LOSABLE:  # an infinite number is a lost probe, but a text such as "inf" needs a card that says so
        fine |= np.isposinf(numbers) & ~values.where(np.isposinf(numbers)).map(lambda value: isinstance(value, str))
    return (values.notna() & ~fine).to_numpy(bool)


def _refuse_other_units(numbers: dict[str, pd.Series], card: Card) -> None:
    said, scales = [], []
    for name, values in numbers.items():
        median = median_of(values)
        low, high = RANGES[name].median
        if np.isnan(median) or low <= median <= high:
            continue
        unit, factor = likely_unit(median, name)
        shown = f"{median:,.0f}" if high < median < LONG else f"{median:.3g}"
        said.append(f"the median of {name} is {shown} {BY_NAME[name].unit}{f' ({unit}?)' if unit else ''}")
        if unit:
            scales.append(f"{name} = {factor * card.scale.get(name, 1):.6g}")
    if said:
        scale = f"scale = {{ {', '.join(scales)} }}, or " if scales else ""
        raise WorkbenchError(
            f"{card.name}: {' and '.join(said)}, which no network has. Write {scale}plausible = false if it is right."
        )


def _two_units(numbers: dict[str, pd.Series]) -> list[str]:
    """A sentence for each column in which some values seem to be in another unit: a thousandth of the others, and under
    what medians are, or a thousand times the others, and above it.
    """
    said = []
    for name, values in numbers.items():
        known = values[values.gt(0) & np.isfinite(values)]
        low, high = RANGES[name].median
        for apart, how in ((known < low, f"under {low:g}"), (known > high, f"over {high:,g}")):
            ratio = median_of(known[~apart]) / median_of(known[apart])
            if apart.mean() > BAD_SHARE and SECONDS[0] < max(ratio, 1 / ratio) < SECONDS[1]:
                said.append(
                    f"{100 * apart.mean():.0f} % of {name} are {how} {BY_NAME[name].unit}, some thousand times less or "
                    "more than the others: are they in another unit? Bring them to one."
                )
    return said


def median_of(values: pd.Series) -> float:
    """Median of the values that came back: above 0 and finite."""
    return float(values[values.gt(0) & np.isfinite(values)].median())


def likely_unit(median: float, name: str) -> tuple[str, float]:
    """The unit, with its factor, in which a median comes nearest to the middle of typical ones; "" and 1: none known.

    >>> likely_unit(1_562_500, "downlink_mbps"), likely_unit(0.04, "rtt_ms")
    (('bytes a second', 8e-06), ('seconds', 1000.0))
    """
    low, high = RANGES[name].typical
    far = {
        abs(np.log(factor * median / np.sqrt(low * high))): (unit, factor)
        for unit, factor in RANGES[name].units
        if low <= factor * median <= high
    }
    return far[min(far)] if far else ("", 1.0)


def _in_words(frame: pd.DataFrame, bad: dict[str, np.ndarray], share: str, card: Card) -> str:
    name = max(bad, key=lambda each: bad[each].sum())
    column, values, (least, most) = BY_NAME[name], frame[name][bad[name]], RANGES[name].value
    numbers = pd.to_numeric(values, errors="coerce")
    said = bad_values(name, f"from {least:g} to {most:,} {column.unit}", values)
    texts = values.astype(str)
    if texts.str.fullmatch(r"[\d.]+,\d+").any():
        between = ', or thousands = "," if it stands between thousands' * int(texts.str.fullmatch(GROUPED).all())
        return f'{said} Write decimal = "," if the comma is the decimal mark{between}.'
    if numbers.isna().any():
        return f'{said} Write missing = ["..."] for what stands for no value, or lost for what stands for no answer.'
    above = bool((numbers > most).any())
    bound = f"{'above' if above else 'below'} = {(most if above else least) / card.scale.get(name, 1):.6g}"
    source = next((given for given, known in card.columns.items() if known == name), name)
    rule = f"{{ {_quoted(str(source))} = {{ {bound} }} }}"
    lost = f"lost = {rule} if unanswered, " if name == LOSABLE else ""
    return (
        f"{said} {share} measured rows do. Write {lost}skip = {rule} if failed, or keep if a "
        "column says which quantity a row holds."
    )


def _quoted(name: str) -> str:
    """A name as TOML writes it on the left of an equals sign."""
    return name if re.fullmatch(r"[\w-]+", name) else f'"{name}"'
