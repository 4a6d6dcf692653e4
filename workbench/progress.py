"""How far a long piece of work is, where somebody watches, and where it was when somebody stopped it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

Progress = Callable[[str], None]
QUICK_S = 2.0  # what takes less shows no bar

_at_work: list[str] = []  # what is being done, the outermost first; only that is shown
_stopped: list[str] = []  # what was being done when Ctrl-C came


def stopped_at() -> str:
    """What the last Ctrl-C interrupted; empty where that is not known."""
    return ": ".join(filter(None, _stopped))


@contextmanager
def bar(what: str, total: int | None = None, **look: Any) -> Iterator[Any]:
    """A bar, with ``update()`` and ``set_description_str()``: on a terminal, or a widget in JupyterLab, else nothing.

    Within another one, nothing is drawn: a reader looks at one bar.
    """
    from tqdm.auto import tqdm

    if not _at_work:
        _stopped.clear()
    in_notebook = type(sys.stderr).__module__.startswith("ipykernel")
    watched = not _at_work and (in_notebook or sys.stderr.isatty())
    _at_work.append(what)
    try:
        # Where it is not "disabled", the TQDM_DISABLE of rendered pages decides.
        quiet = {} if watched else {"disable": True}
        with tqdm(desc=what, total=total, leave=False, **{"delay": QUICK_S, **look, **quiet}) as drawn:
            yield drawn
    except KeyboardInterrupt:
        _stopped[:] = _stopped or _at_work
        raise
    finally:
        _at_work.pop()


def with_bar[Part](parts: Sequence[Part], what: str) -> Iterator[Part]:
    """The parts of a piece of work, with a bar of how many are done."""
    with bar(what, len(parts), unit="step") as drawn:
        for part in parts:
            yield part
            drawn.update()


def showing_steps[**P, Result](work: Callable[P, Result]) -> Callable[P, Result]:
    """Let a function that takes ``progress`` show its steps and the time since its start, where none is given."""

    @functools.wraps(work)
    def shown(*args: P.args, **keywords: P.kwargs) -> Result:
        with bar("", bar_format="{n} steps, {elapsed}: {desc}") as drawn:
            given: Any = keywords.get("progress")

            def say(step: str) -> None:
                _at_work[-1] = step
                drawn.set_description_str(step)
                drawn.update()
                if given:
                    given(step)

            keywords["progress"] = say
            return work(*args, **keywords)

    return shown
