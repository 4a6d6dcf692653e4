"""Arguments checked at the door: what a public function takes is what its annotations say."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sized
from contextlib import suppress
from dataclasses import fields, is_dataclass
from importlib import import_module
from itertools import chain, repeat
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAliasType, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
import pandas as pd

from workbench.errors import WorkbenchError, did_you_mean

NUMBERS = {int: Integral, float: Real}
MOST_SHOWN = 60
WORDS = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "True or False",
    NoneType: "None",
    os.PathLike: "a path",
    np.ndarray: "an array",
    pd.Series: "a Series",
    pd.DataFrame: "a DataFrame, as from wb.load(name)",
    Mapping: "a mapping",
    Callable: "a function",
}
A_RULE = "a rule, such as result.best_rule, result.of(name).policy, or your own function"
MANY = {
    A_RULE: "rules, such as wb.rules(split)",
    "a whole number": "whole numbers",
    "a number": "numbers",
    "text": "texts",
    "a function": "functions",
}
MADE_BY = {  # by the name of the class or alias
    "Policy": A_RULE,
    "Dataset": "a dataset's name, the path of a card, or a DataFrame",
    "Split": "a split, as from wb.split_by_time(views)",
    "Mask": "a mask, as in wb.Mask(users=0.3)",
    "Hover": "wb.Hover(share=, precision=, lead_ms=)",
    "Model": "a model, as from wb.train_network_quality(split)",
    "Card": "a card, as from wb.datasets.find_card(name)",
    "Axes": "Matplotlib's Axes",
    "Figure": "Matplotlib's Figure",
    "Explanation": "an explanation, as from wb.shap_values(model, views)",
    **dict.fromkeys(("Comparison", "Finding"), "a comparison, as from wb.compare or wb.study"),
    **{
        name: f"what wb.{name.lower()}(...) returns"
        for name in (
            *("Ablation", "Dependence", "Disagreement", "Drift", "Experiment", "Importance", "Redundancy"),
            "Retraining",
        )
    },
}


class ArgumentError(WorkbenchError, TypeError):
    """An argument is of another type than the function takes, is missing, or is not known; also a TypeError."""


def checked[Door: Callable[..., Any]](door: Door) -> Door:
    """Check the arguments of a function at each call; those of a class as it is made.

    Raises an :class:`ArgumentError` with the argument, what was expected and what came. Numbers of NumPy pass as those
    of Python, a list as a tuple, and True is no number. An argument without annotation, or of ``Any``, is not checked.

    Examples
    --------
    >>> @checked
    ... def double(number: float) -> float:
    ...     return 2 * number
    >>> double(np.float64(1.5)).item()
    3.0
    >>> double("a")
    Traceback (most recent call last):
    workbench.checked.ArgumentError: double(number): expected a number; got 'a'.
    """
    if isinstance(door, type):
        made: Any = door
        made.__init__ = _guarded(made.__init__, made.__name__, made if is_dataclass(made) else made.__init__)
        return door
    return _guarded(door, door.__name__, door)


def check_fields(made: Any) -> None:
    """Check the fields of a dataclass that may have been set after it was made, as scikit-learn does."""
    hints = _hints(type(made))  # type: ignore[arg-type]
    for name in (each.name for each in fields(made) if each.init):
        _check(type(made).__name__, name, getattr(made, name), hints[name])


def _guarded(function: Any, name: str, annotated: Any) -> Any:
    signature = inspect.signature(function)
    kinds = {each.name: each.kind for each in signature.parameters.values()}
    places = [each for each, kind in kinds.items() if kind <= inspect.Parameter.POSITIONAL_OR_KEYWORD]
    rest = next((each for each, kind in kinds.items() if kind == inspect.Parameter.VAR_POSITIONAL), "")

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        tests = _tests(annotated)
        for argument, value in chain(zip(chain(places, repeat(rest)), args, strict=False), kwargs.items()):
            if argument in tests and not tests[argument](value):
                if is_dataclass(annotated):  # what it says itself may name the range
                    with suppress(TypeError, ValueError, LookupError, AttributeError, ArithmeticError):
                        function(*args, **kwargs)
                _check(name, argument, value, _hints(annotated)[argument])
        try:
            return function(*args, **kwargs)
        except TypeError:
            try:
                signature.bind(*args, **kwargs)
            except TypeError as err:
                raise ArgumentError(f"{name}: {_misfit(err, kwargs, [*kinds])}") from None
            raise

    return guarded


@functools.cache
def _tests(annotated: Any) -> dict[str, Callable[[Any], bool]]:
    """What each argument is held against."""
    return {name: fitting(hint) for name, hint in _hints(annotated).items()}


@functools.cache
def _hints(annotated: Any) -> dict[str, Any]:
    """Annotations by name; a module that is imported only to be named in them is looked up."""
    try:
        return get_type_hints(annotated)
    except NameError as err:
        return get_type_hints(annotated, localns={str(err.name): import_module(str(err.name))})


def _misfit(err: TypeError, given: Iterable[str], known: list[str]) -> str:
    strange = [name for name in given if name not in known]
    return f"{err}.{did_you_mean(strange[0], known) if strange else ''}"


def _check(where: str, argument: str, value: Any, hint: Any) -> None:
    if not fitting(hint)(value):
        raise ArgumentError(f"{where}({argument}): expected {in_words(hint)}; got {came(value)}.")


@functools.cache
def fitting(hint: Any) -> Callable[[Any], bool]:
    """The test of whether a value is what an annotation says."""
    hint = _plain(hint)
    kind, inner = get_origin(hint) or hint, get_args(hint)
    tests = [] if kind in (Literal, Callable) else [*map(fitting, inner)]
    if kind in (Union, UnionType):
        return lambda value: any(test(value) for test in tests)
    if kind is Literal:
        return lambda value: any(type(value) is type(each) and value == each for each in inner)
    if not isinstance(kind, type):
        return lambda value: True
    if issubclass(kind, Mapping):
        return lambda value: (
            isinstance(value, Mapping)
            and all(test(each) for pair in value.items() for test, each in zip(tests, pair, strict=False))
        )
    if _is_listed(kind):
        return functools.partial(_fits_list, kind, inner, tests)
    return functools.partial(_is_a, kind)


def _is_a(kind: type, value: Any) -> bool:
    """Whether a value is of a class, in the sense of those who use NumPy."""
    if kind in NUMBERS:
        return isinstance(value, NUMBERS[kind]) and not isinstance(value, bool)
    if kind is np.ndarray:
        return hasattr(value, "__array__") or isinstance(value, list | tuple)
    if getattr(kind, "_is_protocol", False) and kind.__module__.startswith("workbench"):
        members = [name for name in vars(kind) if not name.startswith("_")]
        return not isinstance(value, type) and all(hasattr(type(value), name) for name in members)
    return isinstance(value, (bool, np.bool_) if kind is bool else kind)


def _fits_list(kind: type, inner: tuple[Any, ...], tests: list[Callable[[Any], bool]], value: Any) -> bool:
    """Whether a value is a list; what may be read once only passes as Iterable, unread."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        return False
    if not isinstance(value, Sized):
        return not issubclass(kind, Sized)
    if kind is tuple and inner and inner[-1] is not Ellipsis:
        return len(value) == len(inner) and all(test(each) for test, each in zip(tests, value, strict=True))
    return not inner or all(map(tests[0], value))


def _plain(hint: Any) -> Any:
    """An annotation without its alias and remarks; object where it says nothing that can be checked."""
    if isinstance(hint, TypeAliasType):
        return _plain(hint.__value__)
    if get_origin(hint) is Annotated:
        return _plain(get_args(hint)[0])
    return object if hint is Any or isinstance(hint, TypeVar) else hint


def _is_listed(kind: type) -> bool:
    """Whether an annotation is of a list of some kind, which a text is not meant to be."""
    return kind in (list, tuple, set) or (kind.__module__ == "collections.abc" and issubclass(kind, Iterable))


def in_words(hint: Any) -> str:
    """What an annotation asks for; that None will do goes without saying.

    >>> in_words(float | None), in_words(tuple[str, ...])
    ('a number', 'a list of texts')
    """
    if isinstance(hint, TypeAliasType) and hint.__name__ in MADE_BY:
        return MADE_BY[hint.__name__]
    hint = _plain(hint)
    kind, inner = get_origin(hint) or hint, get_args(hint)
    if kind in (Union, UnionType):
        return " or ".join(dict.fromkeys(in_words(each) for each in inner if each is not NoneType))
    if kind is Literal:
        return "one of " + ", ".join(map(repr, inner))
    if kind in WORDS:
        of = f" of {in_words(inner[0])} to {in_words(inner[1])}" if kind is Mapping and inner else ""
        return WORDS[kind] + of
    if isinstance(kind, type) and _is_listed(kind):
        one = in_words(inner[0]) if inner else ""
        return f"a list of {MANY.get(one, one)}" if one else "a list"
    name = getattr(kind, "__name__", str(kind))
    return MADE_BY.get(name, f"a {name}")


def came(value: Any) -> str:
    """What was given, as an error says it: short values as they are written, all else by its type."""
    if value is None or isinstance(value, str | bytes | bool | Real | np.bool_):
        shown = ascii(value)
        return shown if len(shown) <= MOST_SHOWN else f"{shown[:MOST_SHOWN]}..."
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, pd.DataFrame):
        return "a DataFrame"
    shown = repr(value) if isinstance(value, list | tuple | dict) or is_dataclass(value) else ""
    return shown if 0 < len(shown) <= MOST_SHOWN else f"{_article(type(value).__name__)}"


def _article(name: str) -> str:
    return f"an {name}" if name[0] in "AEIOUaeiou" else f"a {name}"
