"""Readers of single public sets of navigations, whose files no general reader understands."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.datasets.readers import NOT_WHOLE, in_one_line, zip_member
from workbench.errors import WorkbenchError

MOST_SECTIONS = 99
BACK = "<"
GAME_COLUMNS = ("player", "started_s", "duration_s", "path", "target", "outcome")


def read_msnbc(path: Path) -> pd.DataFrame:
    """Read msnbc.com's sequences (UCI, msnbc990928.seq): a line a visitor, numbers of sections, from 1.

    Section names stand in the header, before the line "% Sequences:".

    Parameters
    ----------
    path : Path
        The file itself, or a zip file that holds it.

    Returns
    -------
    DataFrame
        ``session`` (int64, the line from 0) and ``page`` (category, the section's name), a row a view.

    Raises
    ------
    WorkbenchError
        Where the file has no such header, or a number without a section.
    """
    content = _bytes(path)
    header, mark, body = content.partition(b"% Sequences:")
    names = [line.split() for line in header.decode("utf-8", "replace").splitlines() if not line.startswith("%")]
    sections = [name for words in names for name in words]
    if not mark or not 1 < len(sections) <= MOST_SECTIONS or len(set(sections)) < len(sections):
        raise WorkbenchError(
            f"{path.name} is not msnbc's file of sequences: expected names of sections, then the line '% Sequences:'."
        )
    numbers, lines = _numbers_of_lines(np.frombuffer(body, np.uint8))
    if not len(numbers) or numbers.min() < 1 or numbers.max() > len(sections):
        raise WorkbenchError(
            f"{path.name}: expected numbers of sections from 1 to {len(sections)} after '% Sequences:'; got "
            f"{'others' if len(numbers) else 'none'}."
        )
    order = np.argsort(sections)
    place = np.empty(len(sections), np.int64)
    place[order] = np.arange(len(sections))
    page = pd.Categorical.from_codes(place[numbers - 1], pd.Index(np.array(sections)[order], dtype="str"))
    return pd.DataFrame({"session": np.unique(lines, return_inverse=True)[1], "page": page})


def _numbers_of_lines(text: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of one or two digits in a text (uint8), and the line of each (both int64, shape (numbers,)).

    Anything else counts as the number 0.
    """
    blank = (text == ord(" ")) | (text == ord("\n")) | (text == ord("\r"))
    filled = np.flatnonzero(~blank)
    begins = filled[np.r_[True, np.diff(filled) > 1][: len(filled)]]
    ends = filled[np.r_[np.diff(filled) > 1, True][: len(filled)]]
    last, first = text[ends].astype(np.int64) - ord("0"), text[begins].astype(np.int64) - ord("0")
    valid = (ends - begins <= 1) & (first >= 0) & (first <= 9) & (last >= 0) & (last <= 9)
    numbers = np.where(valid, np.where(ends > begins, 10 * first + last, last), 0)
    return numbers, np.searchsorted(np.flatnonzero(text == ord("\n")), begins)


def read_wikispeedia(path: Path) -> pd.DataFrame:
    """Read paths of the game Wikispeedia: a game a line, pages separated by ";", back clicks as "<".

    A back click is a view of the page that it returns to.

    Parameters
    ----------
    path : Path
        Tab-separated: hashed player, start in Unix seconds, duration, path, target, outcome.

    Returns
    -------
    DataFrame
        ``player``, ``started_s`` (str), ``game`` (int64, the line from 0), ``page`` (str, percent-encoded), a row a
        view.

    Raises
    ------
    WorkbenchError
        Where lines have other columns, a path is empty, or goes back further than it came.
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
    views = games[3].str.split(";").explode()
    game = views.index.to_numpy()
    page = views.to_numpy(object)
    shown = page[_resolved(game, page == BACK, path.name)]
    return pd.DataFrame({"player": games[0][game], "started_s": games[1][game], "game": game, "page": shown}).replace(
        {"page": {"": None}}
    )


def _resolved(game: np.ndarray, back: np.ndarray, name: str) -> np.ndarray:
    """Which row's page each view shows (int64, shape (rows,)): its own, or, after a back click, that returned to.

    Opening a page puts it on a pile, going back takes the top one off. What a back click uncovers is the latest page
    that was put down at that height.
    """
    step = np.where(back, -1, 1)
    before_game = np.r_[0, np.cumsum(step)]
    begins = np.searchsorted(game, game)
    height = before_game[1:] - before_game[begins]
    if (height < 1).any():
        raise WorkbenchError(
            f"{name}: a path cannot go back beyond its first page; line {game[height < 1][0] + 1} does."
        )
    order = np.lexsort((np.arange(len(game)), height, game))
    laid = np.maximum.accumulate(np.where(back[order], 0, np.arange(len(order))))
    shown = np.empty(len(order), np.int64)
    shown[order] = order[laid]
    return shown


def _bytes(path: Path) -> bytes:
    try:
        if path.suffix.lower() == ".zip":
            with zip_member(path) as member:
                return member.read()
        return gzip.decompress(path.read_bytes()) if path.suffix.lower() == ".gz" else path.read_bytes()
    except NOT_WHOLE as err:
        raise WorkbenchError(f"{path.name} cannot be unpacked: {in_one_line(err)}.") from err
