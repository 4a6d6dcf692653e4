"""Published sets with a format of their own: sequences of msnbc.com, and games of Wikispeedia."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from workbench.datasets.readers import NOT_WHOLE, in_one_line, opened
from workbench.errors import WorkbenchError

BACK = "<"
GAME_COLUMNS = ("player", "started_s", "duration_s", "path", "target", "outcome")


def read_msnbc(path: Path) -> pd.DataFrame:
    """Read msnbc.com's sequences (UCI, msnbc990928.seq), zipped or not: a line per visitor, numbers of sections from 1.

    The header names the sections, before the line "% Sequences:". A row per view: ``session`` (int64, number of the
    line from 0) and ``page`` (category).
    """
    with opened(path) as file:
        header, mark, body = file.read().partition(b"% Sequences:")
    names = [line for line in header.decode("utf-8", "replace").splitlines() if not line.startswith("%")]
    sections = " ".join(names).split()
    if not mark or len(sections) < 2 or len(set(sections)) < len(sections):
        raise WorkbenchError(
            f"{path.name} is not msnbc's file of sequences: expected names of sections, then the line '% Sequences:'."
        )
    kinds = pd.Categorical(sections)  # their codes follow the sorted names
    code_of = {str(number).encode(): code for number, code in enumerate(kinds.codes, 1)}
    place, words = pd.factorize(np.array(body.split(), object))
    codes = np.array([code_of.get(word, -1) for word in words], np.int64)[place]
    if not len(codes) or codes.min() < 0:
        raise WorkbenchError(
            f"{path.name}: expected numbers of sections from 1 to {len(sections)} after '% Sequences:'; got "
            f"{'others' if len(codes) else 'none'}."
        )
    lengths = np.array([len(line.split()) for line in body.split(b"\n")])
    lengths = lengths[lengths > 0]
    session = np.repeat(np.arange(len(lengths)), lengths)
    return pd.DataFrame({"session": session, "page": pd.Categorical.from_codes(codes, kinds.categories)})


def read_wikispeedia(path: Path) -> pd.DataFrame:
    """Read paths of the game Wikispeedia: a game a line, pages separated by ";", back clicks as "<".

    A back click is a view of the page that it returns to. A row per view: ``player``, ``started_s`` (str, Unix
    seconds), ``game`` (int64, number of the line from 0), ``page`` (str, percent-encoded).
    """
    try:
        games = pd.read_csv(path, sep="\t", header=None, dtype=str, keep_default_na=False, quoting=3, comment="#")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, *NOT_WHOLE) as err:
        raise WorkbenchError(f"{path.name} is not a file of Wikispeedia paths: {in_one_line(err)}.") from err
    if not len(GAME_COLUMNS) - 1 <= games.shape[1] <= len(GAME_COLUMNS):
        raise WorkbenchError(
            f"{path.name} is not a file of Wikispeedia paths: expected {', '.join(GAME_COLUMNS)}, separated by tabs; "
            f"got {games.shape[1]} columns."
        )
    shown = [_shown(clicks, line, path.name) for line, clicks in enumerate(games[3], 1)]
    game = np.repeat(np.arange(len(games)), list(map(len, shown)))
    page = pd.Series([page or None for pages in shown for page in pages], dtype="str")
    views = {"player": games[0].to_numpy()[game], "started_s": games[1].to_numpy()[game], "game": game, "page": page}
    return pd.DataFrame(views)


def _shown(path: str, line: int, name: str) -> list[str]:
    """The pages that a game shows: opening one puts it on a pile, going back takes it off."""
    pile: list[str] = []
    shown = []
    for click in path.split(";"):
        if click == BACK:
            del pile[-1:]
        else:
            pile.append(click)
        if not pile:
            raise WorkbenchError(f"{name}: a path cannot go back beyond its first page; line {line} does.")
        shown.append(pile[-1])
    return shown
