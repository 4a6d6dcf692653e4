"""Speculation Rules of each page: the same policy without a script (wicg.github.io/nav-speculation)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from workbench.export.policy.loaded import LoadedPolicy

FOLDER, LONGEST_NAME = "speculation-rules", 120
LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
OTHER = re.compile(r"[?#<>]")  # a query, a fragment, or the name of many pages, such as /product/<id>
NEVER = re.compile(
    r"(?<![a-z])(?:(?:sign|log)[-_]?(?:out|off|in)|session|cart|basket|bag|checkout|order|pay(?:ment)?s?|account|profile"
    r"|admin|api|delete|remove|add|unsubscribe|confirm|verify|reset|token|download|no-?store|private)(?![a-z])",
    re.IGNORECASE,
)


def speculation_rules(content: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Speculation Rules of each page (wicg.github.io/nav-speculation/speculation-rules.html), by file name.

    Pages above the limit are fetched at once, the next ones on hover. Only paths of the same origin are named, and none
    that changes something or belongs to one visitor alone: without a query, and without a word of ``NEVER``. The tag
    is the ruleset's: browsers that do not know it drop rules that carry it themselves.
    """
    policy, files = LoadedPolicy(dict(content)), dict[str, dict[str, Any]]()
    for page in filter(_is_fetchable, content["names"]):
        found = [each for each in policy.after(page) if _is_fetchable(each["page"])]
        at_once = [each for each in found if each["chance"] >= content["limit"]][: content["most"]]
        on_hover = [each for each in found if each not in at_once]
        rules = [
            {"source": "list", "urls": [as_url(each["page"]) for each in pages], "eagerness": eagerness}
            for pages, eagerness in ((at_once, "immediate"), (on_hover, "moderate"))
            if pages
        ]
        if rules:
            files[_file_name(page, files)] = dict(tag=f"workbench-{content['version']}", prefetch=rules)
    return files


def as_url(page: str) -> str:
    """A path as it is written in a URL; what is escaped already stays.

    >>> as_url("/caf\u00e9/100%/a%20b")
    '/caf%C3%A9/100%25/a%20b'
    """
    return quote(LONE_PERCENT.sub("%25", page), safe="/%:@!$&'()*+,;=~")


def _is_fetchable(page: str) -> bool:
    path = page.startswith("/") and not page.startswith(("//", "/\\")) and page.isprintable()
    return path and not OTHER.search(page) and not NEVER.search(page)


def _file_name(page: str, taken: Mapping[str, Any]) -> str:
    name = quote(page, safe="")
    if len(name) > LONGEST_NAME or f"{FOLDER}/{name}.json".lower() in {each.lower() for each in taken}:
        name = f"{name[:LONGEST_NAME]}-{hashlib.sha256(page.encode()).hexdigest()[:8]}"
    return f"{FOLDER}/{name}.json"
