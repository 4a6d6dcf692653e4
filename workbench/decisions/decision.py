"""What every policy is, whatever it decides: a callable with a name, and columns that it cannot do without."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

PERFECT_KNOWLEDGE = "perfect knowledge"
AnyPolicy = TypeVar("AnyPolicy", bound=Callable[..., Any])


def needs(*columns: str) -> Callable[[AnyPolicy], AnyPolicy]:
    """Declare the context columns that a rule cannot do without; where they are not known, it is "not available".

    Examples
    --------
    >>> @needs("os_family")
    ... def ours(context):
    ...     return context["os_family"].isin(["iOS"]).map({True: "large", False: "medium"})
    """

    def mark(policy: AnyPolicy) -> AnyPolicy:
        policy.needs = columns  # type: ignore[attr-defined]
        return policy

    return mark


def policy_name(policy: Callable[..., Any]) -> str:
    """What tables call a policy: its ``name``, else the function's own."""
    return str(getattr(policy, "name", None) or getattr(policy, "__name__", type(policy).__name__))


def call_policy(policy: Callable[..., Any], context: Any, scenario: Any) -> Any:
    """Ask a policy for its decisions; the scenario is passed where it takes one."""
    return policy(context, scenario=scenario) if _takes_scenario(policy) else policy(context)


def _takes_scenario(policy: Callable[..., Any]) -> bool:
    try:
        return "scenario" in inspect.signature(policy).parameters
    except (TypeError, ValueError):
        return False
