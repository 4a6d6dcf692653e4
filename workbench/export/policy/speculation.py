"""Speculation Rules: what the policy names knowing a page alone, without a script (wicg.github.io/nav-speculation)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from workbench.export.policy.loaded import LoadedPolicy

FOLDER, LONGEST_NAME = "speculation-rules", 60
LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# A query, parameters, a fragment, the name of many pages (/product/<id>), and what leads elsewhere.
OTHER = re.compile(r"[?;#<>\\]|^//|/\.\.(?![^/])|%2f", re.IGNORECASE)
NEVER = re.compile(
    r"(?:sign|log)out|(?:sign|log)off(?![a-z])|(?:delete|remove)(?![dr])|passw(?:or)?d"  # within a word too
    r"|(?:cart|basket|account|checkout)s?(?![a-z])"  # at the end of one
    r"|(?<![a-z])(?:(?:sign|log)[-_.+ ]?(?:out|off|in)|(?:my|pre|re)?orders?|session|bag|pay(?:ment)?s?|profile|admin"
    r"|api|add(?:to[a-z]*)?|unsubscribe|confirm|verify|reset|token|download|no-?store|private)(?![a-z])",
    re.IGNORECASE,
)
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


class SiteRules:
    """Which pages to fetch at once, and which on hover, on each page, whatever came before it."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content, self.site, self.policy = content, content.get("site", {}), LoadedPolicy(dict(content))
        names = content["names"]
        self.bytes = dict(zip(names, self.site.get("bytes", [1] * len(names)), strict=True))
        self.pages = {page: self._after(page) for page in names if self._may_fetch(page)}

    def files(self) -> dict[str, dict[str, Any]]:
        """A file of rules for each page that has some, and the index that names them: JSON by file name."""
        rules = self.rules()
        index = {page: _file_name(page) for page in rules}
        files = {f"{FOLDER}/{index[page]}": each for page, each in rules.items()}
        return {f"{FOLDER}/index.json": index, **files} if files else {}

    def rules(self) -> dict[str, dict[str, Any]]:
        """Speculation Rules of each page that has some (wicg.github.io/nav-speculation/speculation-rules.html).

        The tag is the ruleset's: browsers that do not know it drop rules that carry it themselves.
        """
        found: dict[str, dict[str, Any]] = {}
        for page, (at_once, on_hover) in self.pages.items():
            rules = [
                {"source": "list", "urls": [as_url(each["page"]) for each in pages], "eagerness": eagerness}
                for pages, eagerness in ((at_once, "immediate"), (on_hover, "moderate"))
                if pages
            ]
            if "no_vary_search" in self.site:
                rules = [rule | {"expects_no_vary_search": self.site["no_vary_search"]} for rule in rules]
            if rules:
                found[page] = dict(tag=f"workbench-{self.content['version']}", prefetch=rules)
        return found

    def requests(self, views: Mapping[str, float]) -> dict[str, float]:
        """Pages fetched at once, and opened of these by their chances, a view; ``views`` is the share of each page."""
        of_page = [(views.get(page, 0.0), at_once) for page, (at_once, _) in self.pages.items()]
        found = {"fetched": sum(share * len(at_once) for share, at_once in of_page)}
        if self.content.get("weighs", True):
            found["opened"] = sum(share * sum(each["chance"] for each in at_once) for share, at_once in of_page)
        return found

    def _after(self, page: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Pages above the limit, those with the largest chance a byte first, within the budget; and the next ones."""
        found, room = [each for each in self.policy.after(page) if self._may_fetch(each["page"])], self.content["most"]
        budget, at_once = self.site.get("byte_budget", room), list[dict[str, Any]]()
        likely = [each for each in found if each["chance"] >= self.content["limit"]][:room]
        for each in sorted(likely, key=lambda one: -one["chance"] / self.bytes[one["page"]]):
            if (size := self.bytes[each["page"]]) <= budget:
                at_once.append(each)
                budget -= size
        return at_once, [each for each in found if each not in at_once]

    def _may_fetch(self, page: str) -> bool:
        """Whether it is a path of this origin that changes nothing and belongs to no single visitor."""
        plain, never = unquote(page), (OTHER, NEVER, *self.site.get("never", ()))
        spelt = (page, plain, CAMEL.sub("-", plain))
        path = page.startswith("/") and plain.isprintable()
        return path and not any(re.search(pattern, each) for pattern in never for each in spelt)


def as_url(page: str) -> str:
    """A path as it is written in a URL; what is escaped already stays.

    >>> as_url("/caf\u00e9/100%/a%20b")
    '/caf%C3%A9/100%25/a%20b'
    """
    return quote(LONE_PERCENT.sub("%25", page), safe="/%:@!$&'()*+,;=~")


def _file_name(page: str) -> str:
    """A name of plain letters, digits and hyphens, another one for each page: it needs no escaping in a URL.

    >>> _file_name("/100% caf\u00e9/a?b")
    '100-caf-a-b-96e95a8c19fb.json'
    """
    words = re.sub(r"[^A-Za-z0-9]+", "-", page).strip("-")[:LONGEST_NAME]
    return f"{words}-{hashlib.sha256(page.encode()).hexdigest()[:12]}.json".lstrip("-")
