"""The README of an exported policy: how a site calls it, where it gets each field, and what is known of the policy."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from workbench.datasets.columns import WHEN_KNOWN
from workbench.datasets.schema import label
from workbench.decisions.decision import Finding, Shipped
from workbench.evidence.bootstrap import Interval
from workbench.studies import report

NOT_THERE = "-"
FROM_EDGE = "from the edge server"
OWN_STORAGE = "what this site kept in the browser's storage"
# Where a browser, an edge server and an app get a field. NetInfo and user-agent hints: wicg.github.io/netinfo,
# wicg.github.io/ua-client-hints; the edge: developers.cloudflare.com (request.cf) and the CloudFront-Viewer-* headers.
SOURCES = {
    "country": (FROM_EDGE, "`request.cf.country`, `CloudFront-Viewer-Country`", FROM_EDGE),
    "asn": (FROM_EDGE, "`request.cf.asn`, `CloudFront-Viewer-ASN`", FROM_EDGE),
    "isp": (FROM_EDGE, "`request.cf.asOrganization`, or the address", FROM_EDGE),
    "region": (FROM_EDGE, "`request.cf.region`, `CloudFront-Viewer-Country-Region-Name`", FROM_EDGE),
    "city": (FROM_EDGE, "`request.cf.city`, `CloudFront-Viewer-City`", FROM_EDGE),
    "os_family": ("`navigator.userAgentData.platform`", "`Sec-CH-UA-Platform`, else `User-Agent`", "the system"),
    "os_major": (
        '`getHighEntropyValues(["platformVersion"])`',
        "`Sec-CH-UA-Platform-Version`, else `User-Agent`",
        "the system",
    ),
    "browser": ("`navigator.userAgentData.brands`", "`Sec-CH-UA`, else `User-Agent`", NOT_THERE),
    "browser_major": ("`navigator.userAgentData.brands`", "`Sec-CH-UA`, else `User-Agent`", NOT_THERE),
    "save_data": ("`navigator.connection.saveData`", "`Save-Data: on`", "the system's data saver"),
    "local_hour": ("`new Date().getHours()`", "the time, and the offset of the place", "the clock"),
    "last_rtt_ms": (OWN_STORAGE, "a cookie of this site", "the app's storage"),
    "last_downlink_mbps": (OWN_STORAGE, "a cookie of this site", "the app's storage"),
    "last_age_s": (OWN_STORAGE, "a cookie of this site", "the app's storage"),
    "earlier_views": (OWN_STORAGE, "a cookie of this site", "the app's storage"),
    "device": ('`getHighEntropyValues(["model"])`', "`Sec-CH-UA-Model`, after `Accept-CH`", "the model"),
    "effective_type": ("`navigator.connection.effectiveType`", "`ECT`, after `Accept-CH`", NOT_THERE),
    "netinfo_rtt_ms": ("`navigator.connection.rtt`", "`RTT`, after `Accept-CH`", NOT_THERE),
    "netinfo_downlink_mbps": ("`navigator.connection.downlink`", "`Downlink`, after `Accept-CH`", NOT_THERE),
    "connection_type": (
        "`navigator.connection.type`",
        NOT_THERE,
        "`ConnectivityManager` (Android), `NWPathMonitor` (iOS)",
    ),
}
SESSION = ("`sessionStorage` of this site", "a cookie of the session", "the app's memory")
SOURCES |= {"pages": SESSION, "dwell_before_s": SESSION} | dict.fromkeys(
    ("last_next", "usual_next", "usual_share", "here_before"), SOURCES["last_age_s"]
)
TYPES = {"number": "number", "flag": "true or false", "text": "text", "page": "text", "pages": "list of texts"}
NO_RULE = "Segments were compared for the model alone; the exported policy is a rule."


def readme(result: Finding, shipped: Shipped, content: Mapping[str, Any], example: Mapping[str, Any]) -> str:
    """The whole text, Markdown; ``example`` is a context and the answer to it."""
    parts = [
        f"# {as_text(content['name'])}\n\n{_about(result, shipped, content)}",
        f"## Call it\n\n{_usage(shipped.note, example)}",
        f"## When to call it\n\n{shipped.advice}",
        *([f"## Extra load\n\n{_load(content)}"] if "per_1000_views" in content else []),
        f"## Fields\n\n{_fields(result, content)}",
        f"## What is known of it\n\n{_evidence(result)}",
        f"## Where the model is not better\n\n{_segments(result, content)}",
        f"## Limits\n\n{_list(report.assumptions(result))}",
        f"## Privacy\n\n{_privacy(result, content)}",
    ]
    return "\n\n".join(parts) + "\n"


def _about(result: Finding, shipped: Shipped, content: Mapping[str, Any]) -> str:
    card = result.split.card
    source = "SIMULATED data" if card.simulated else "data"
    return (
        f"Version {content['version']}. A policy of the decision `{content['decision']}`, fitted on {source} "
        f"`{card.name}` ({as_text(card.title)}; licence {as_text(card.licence or 'not stated')}). {shipped.does}\n\n"
        f"{merged(result, shipped, content)}"
    )


def _usage(note: str, example: Mapping[str, Any]) -> str:
    given, answer = (_as_json(example[name]) for name in ("context", "decision"))
    of_pages = isinstance(example["decision"], list)
    many = f"a dict, or a frame with one row a view{', and its session_id' * of_pages}"
    return f"""In a browser, in Node, or on an edge server:

```js
import {{ load }} from "./policy.js";
const decide = load(await (await fetch("policy.json")).json());
decide({given});
// {answer}
```

In Python, without XGBoost:

```python
policy = wb.load_policy("policy/")
policy.decide(context)  # {many}
```

{note} `explain(context)` (in JavaScript `decide.explain`) says why in one line, for a `Server-Timing` header. A field
that is missing, or of another type, counts as missing. `vectors.json` holds contexts and the answers
that must come out, and `manifest.json` the sha256 and the size of every file."""


def _load(content: Mapping[str, Any]) -> str:
    """What the origin is asked for beyond the pages that are opened anyway."""
    load = content["per_1000_views"]
    fetched, opened = load["policy"]["fetched"], load["policy"]["opened"]
    lines = [
        f"`decide`: {fetched - opened:,.0f} more requests to the origin per 1,000 views of test ({fetched:,.0f} pages "
        f"fetched ahead, {opened:,.0f} of them opened)."
    ]
    rules, budget = load.get("speculation_rules"), content["site"].get("byte_budget")
    if rules and rules["fetched"]:
        opened = f" ({rules['opened']:,.0f} are opened by their chances)" if "opened" in rules else ""
        lines.append(
            f"`speculation-rules/`: {rules['fetched']:,.0f} pages fetched at once per 1,000 views at most, "
            f"since a browser has some of them{opened}; those on hover are fetched where a pointer rests on their link."
        )
    if rules and budget:
        lines.append(f"A page fetches {budget:,} bytes at once at most, the largest chance a byte first.")
    if rules and (varies := content["site"].get("no_vary_search")):
        lines.append(
            f"The rules expect `No-Vary-Search: {varies}`: send this header with the pages, since their queries are "
            "cut in the data. Without it, a prefetched page serves its own address alone."
        )
    return _list(lines)


def as_text(text: str) -> str:
    """A text from data, whatever it holds, as plain text of Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", " ".join(text.split()))


def _as_json(value: Any) -> str:
    """A value as one line of JSON; chances with three decimals."""
    if isinstance(value, dict) and value.get("chances"):
        value = value | {"chances": {name: round(chance, 3) for name, chance in value["chances"].items()}}
    if isinstance(value, list):
        value = [each | {"chance": each["chance"] and round(each["chance"], 3)} for each in value]
    return json.dumps(value, ensure_ascii=False)


def _fields(result: Finding, content: Mapping[str, Any]) -> str:
    rows = {}
    for name, field in content["fields"].items():
        unit = f" ({field['unit']})" if field["unit"] else ""
        browser, edge, app = SOURCES.get(name, (f"{as_text(field['meaning'])} (a column of this data)",) * 3)
        rows[f"`{name}`"] = {
            "what": as_text(field["meaning"] if name == "pages" else label(name, result.split.card)),
            "type": TYPES[field["type"]] + unit,
            "known": WHEN_KNOWN[field["known"]],
            "browser": browser,
            "edge server": edge,
            "app": app,
        }
    heads = ["field", *next(iter(rows.values()))]
    table = [heads, ["---"] * len(heads), *([name, *row.values()] for name, row in rows.items())]
    lines = "\n".join(f"| {' | '.join(row)} |" for row in table)
    return (
        f"{lines}\n\nTexts are compared as they are: send the names that the data had (`policy.json` lists those it "
        "knows), numbers of networks as digits."
    )


def _evidence(result: Finding) -> str:
    box = report.first_screen(result)
    wanted = {name: text for name, text in box.items() if name not in ("title", "RESTS ON")}
    lines = [f"{name.capitalize()}: {text}" for name, text in wanted.items()]
    return f"{box['title']}.\n\n{_list(lines)}\n\n{report.markdown_table(report.key_table(result))}"


def merged(result: Finding, shipped: Shipped, content: Mapping[str, Any]) -> str:
    """What leaving out small groups changed, on the views of test."""
    views, share, difference = shipped.merged
    if not share:
        return f"It decides as the compared policy does in all {views:,} views of test."
    fewer = " and it has the fewest trees that do nearly as well" if content["role"] == "model" else ""
    return (
        f"Groups of fewer than 20 users are not exported: the group above them answers{fewer}. It therefore decides "
        f"otherwise than the compared policy in {100 * share:.2f} % of {views:,} views of test: "
        f"{result.unit.signed(difference)} {result.unit.per_view} against the figures below."
    )


def _segments(result: Finding, content: Mapping[str, Any]) -> str:
    if content["role"] != "model":
        return NO_RULE
    open_ = result.segments[result.segments["low"] <= 0].sort_values("views", ascending=False, kind="stable")
    if open_.empty:
        return "In every segment of at least 20 users the model gains over the best rule."
    lines = []
    for row in open_.itertuples():
        gain = result.unit.span(Interval(row.difference, row.low, row.high, row.users))
        name = as_text(f"{row.dimension}, {report.short_name(str(row.level), report.LEVEL_WIDTH)}")
        lines.append(f"{name}: {gain}, {row.users:,} {result.people}")
    return (
        f"Model minus best rule, {result.unit.per_view}, with 95 % intervals; exploratory. Segments in which a gain is "
        f"not shown:\n\n{_list(lines)}"
    )


def _privacy(result: Finding, content: Mapping[str, Any]) -> str:
    names = ", ".join(f"`{name}`" for name in content["fields"])
    return (
        f"It reads {names}, and keeps nothing: the context need not be stored, nor sent anywhere. These files hold no "
        "row of the data and no group of fewer than 20 users; the contexts in `vectors.json` are made up field by "
        "field. What a site keeps of earlier views is its own: keep no more than these fields need, and drop it when "
        "consent ends."
    )


def _list(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
