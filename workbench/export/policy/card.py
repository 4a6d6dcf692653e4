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

NOT_THERE, OF_PAGES = "-", ("pages", "ranker")
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
    "local_hour": (
        "`new Date().getHours()`",
        "the hour in `request.cf.timezone`, `CloudFront-Viewer-Time-Zone`",
        "the clock",
    ),
    "last_rtt_ms": (OWN_STORAGE, "a cookie of this site", "the app's storage"),
    "last_downlink_mbps": (OWN_STORAGE, "a cookie of this site", "the app's storage"),
    "last_age_s": (OWN_STORAGE, "a cookie of this site", "the app's storage"),
    "earlier_views": (OWN_STORAGE, "a cookie of this site", "the app's storage"),
    "device": (
        '`navigator.userAgentData.mobile`, or `getHighEntropyValues(["model"])`',
        "`Sec-CH-UA-Mobile`, or `Sec-CH-UA-Model` after `Accept-CH`",
        "the model",
    ),
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
MOST_SEGMENTS = 10  # with most views
NO_RULE = "Segments were compared for the model alone; the exported policy is a rule."


def readme(
    result: Finding,
    shipped: Shipped,
    content: Mapping[str, Any],
    estimates: Mapping[str, Any],
    example: Mapping[str, Any],
    *,
    has_rules: bool,
) -> str:
    """The whole text, Markdown; ``example`` is a context and the answer to it, ``has_rules``: Speculation Rules."""
    parts = [
        f"# {as_text(content['name'])}\n\n{_about(result, shipped, content, estimates)}",
        f"## Call it\n\n{_usage(shipped, content, example)}",
        *([f"## Speculation Rules\n\n{_speculation(content)}"] if has_rules else []),
        *([f"## Extra load\n\n{_load(content)}"] if "per_1000_views" in content else []),
        f"## Fields\n\n{_fields(result, content)}",
        f"## Test it\n\n{_test(result, content)}",
        f"## What is known of it\n\n{_evidence(result)}",
        f"## Where the model is not better\n\n{_segments(result, content)}",
        f"## Limits\n\n{_list(report.assumptions(result))}",
        f"## Privacy\n\n{_privacy(result, content)}",
    ]
    return "\n\n".join(parts) + "\n"


def _about(result: Finding, shipped: Shipped, content: Mapping[str, Any], estimates: Mapping[str, Any]) -> str:
    card = result.split.card
    source = "SIMULATED data" if card.simulated else "data"
    return (
        f"Version {content['version']}. A policy of the decision `{content['decision']}`, fitted on {source} "
        f"`{card.name}` ({as_text(card.title)}; licence {as_text(card.licence or 'not stated')}). {shipped.does}\n\n"
        f"{as_exported(result, content, estimates)}"
    )


def _usage(shipped: Shipped, content: Mapping[str, Any], example: Mapping[str, Any]) -> str:
    given, answer = (_as_json(example[name]) for name in ("context", "decision"))
    of_pages = isinstance(example["decision"], list)
    many = f"a dict, or a frame with one row a view{', and its session_id' * of_pages}"
    same = "the same pages in the same order" if of_pages else f"the same `{content['returns']}`"
    notes = [
        shipped.note,
        "A field that is missing, or of another type, counts as missing.",
        "`decide.explain(context)` (in Python `policy.explain(context)`) says why in one line, for a `Server-Timing` "
        "header.",
        f"Check each deployment: every `context` in `vectors.json` must give its `decision`, {same} with chances "
        "within 0.000001. `manifest.json` holds the size and sha256 of every file; `wb.load_policy` checks them.",
    ]
    return f"""{shipped.advice}

In a browser; load it once, not for each view:

```js
import {{ load }} from "./policy.js";
const decide = load(await (await fetch("policy.json")).json());
decide({given});
// {answer}
```

In Node, read the file: `load(JSON.parse(readFileSync("policy.json", "utf8")))`. In an edge worker, bundle it:
`import policy from "./policy.json"`, then `load(policy)` outside of the handler. `policy.js` has no dependency, keeps
no state and asks for nothing. In Python, without XGBoost:

```python
policy = wb.load_policy("policy/")
policy.decide(context)  # {many}
```

{_list(notes)}"""


def _speculation(content: Mapping[str, Any]) -> str:
    """How a server uses the rules, and what they never fetch."""
    lines = [
        "Find the page in `speculation-rules/index.json`, and send it with the header `Speculation-Rules: "
        '"/speculation-rules/FILE"`, unless the request says `Save-Data: on`. File names need no escaping.',
        "Serve the files with `Content-Type: application/speculationrules+json`.",
        "They never name paths with a query, nor those of signing out, carts and the like: see that the list fits the "
        "site (`never` under `[pages]` of the card adds to it), and hold what `decide` names against it too.",
        "The data do not tell which pages are answered with `Cache-Control: no-store`: add these to `never`.",
    ]
    if budget := content["site"].get("byte_budget"):
        lines.append(
            f"A page fetches at most {budget / 1e6:,.1f} MB at once: {content['most']} pages, each as heavy as the "
            "page that nine in ten views stay within. The largest chance a byte comes first, and what does not fit is "
            "fetched on hover."
        )
    if varies := content["site"].get("no_vary_search"):
        lines.append(
            f"They expect `No-Vary-Search: {varies}`: send this header with the pages, since their queries are cut in "
            "the data. Without it, a prefetched page serves its own address alone."
        )
    return (
        "Without a script: what `decide` names for each page where nothing is known of the session before it. All "
        "figures and `estimates.json` are of `decide`, which also knows the pages before; these rules were not "
        "replayed.\n\n"
        f"{_list(lines)}"
    )


def _load(content: Mapping[str, Any]) -> str:
    """What the origin is asked for beyond the pages that are opened anyway."""
    load = content["per_1000_views"]
    fetched, opened = load["policy"]["fetched"], load["policy"]["opened"]
    lines = [
        f"`decide`: {fetched - opened:,.0f} more requests to the origin per 1,000 views of test ({fetched:,.0f} pages "
        f"fetched ahead, {opened:,.0f} of them opened)."
    ]
    rules = load.get("speculation_rules")
    if rules and rules["fetched"]:
        opened = f" ({rules['opened']:,.0f} are opened by their chances)" if "opened" in rules else ""
        lines.append(
            f"`speculation-rules/`: at most {rules['fetched']:,.0f} pages fetched at once per 1,000 views{opened}, "
            "fewer where a browser has some of them already; those on hover come where a pointer rests on their link."
        )
    return _list(lines)


def _test(result: Finding, content: Mapping[str, Any]) -> str:
    """What a log of the A/B test must hold."""
    served = result.decision.served
    what = "a JSON list of the pages fetched ahead" if content["kind"] in OF_PAGES else "what was sent"
    return (
        "An estimate on past views is no proof. Draw an arm for each user (a hash of user and test), and "
        f"log a row a view: `user_id`, `arm`, the time, `{served}` ({what}, in the control arm too), the fields above, "
        f"and the version {content['version']}. Where the decision itself is drawn by chance, log that chance as "
        "`propensity`. `examples/beacon` of the workbench measures and sends such rows, and has their cards; "
        "`workbench experiment CARD` reads the test back."
    )


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


def as_exported(result: Finding, content: Mapping[str, Any], estimates: Mapping[str, Any]) -> str:
    """Whether the exported policy decides as the compared one did, on the views of test; if not, what it gains."""
    changed = content["against_compared"]
    views, share = changed["views"], changed["decided_otherwise"]
    if not share:
        return f"It decides as the compared policy does in all {views:,} views of test."
    whys = ["groups of fewer than 20 users are not exported: the group above them answers"] * (
        content["kind"] in OF_PAGES
    )
    whys += ["trees that hardly change net on validation are left out"] * changed["fewer_trees"]
    said = (
        f"It decides otherwise than the compared policy in {100 * share:.2f} % of {views:,} views of test "
        f"({result.unit.signed(changed['net'])} {result.unit.per_view}), since {' and '.join(whys)}."
    )
    against = "best_rule" if content["role"] == "model" else "today"
    other = estimates["others_vs_policy"].get(estimates[against])
    if other is None:
        return said
    low, high = (-bound for bound in reversed(other["interval"]))
    gain = Interval(-other["difference"], low, high, 0)
    return (
        f"{said} As exported, it minus {against.replace('_', ' ')}: {result.unit.span(gain)} {result.unit.per_view}. "
        "All further figures are of the compared policy."
    )


def _segments(result: Finding, content: Mapping[str, Any]) -> str:
    if content["role"] != "model":
        return NO_RULE
    open_ = result.segments[result.segments["low"] <= 0].sort_values("views", ascending=False, kind="stable")
    if open_.empty:
        return "In every segment of at least 20 users the model gains over the best rule."
    lines = []
    for row in open_.head(MOST_SEGMENTS).itertuples():
        gain = result.unit.span(Interval(row.difference, row.low, row.high, row.users))
        name = as_text(f"{row.dimension}, {report.short_name(str(row.level), report.LEVEL_WIDTH)}")
        lines.append(f"{name}: {gain}, {row.users:,} {result.people}")
    return (
        f"Model minus best rule, {result.unit.per_view}, with 95 % intervals; exploratory. Segments in which a gain is "
        f"not shown, {len(open_)} of {len(result.segments)}, those with most views first:\n\n{_list(lines)}"
    )


def _privacy(result: Finding, content: Mapping[str, Any]) -> str:
    kept = [f"`{name}`" for name, field in content["fields"].items() if SOURCES.get(name, ("",))[0] == OWN_STORAGE]
    own = f" Only {', '.join(kept)} need something kept of earlier views: no more than that, and" if kept else ""
    return _list(
        [
            f"Purpose: to decide `{content['decision']}`, view by view. Each field is read for that alone, and a field "
            "that a site may not use for it is left out: the policy then decides without.",
            "Retention: `decide` keeps nothing and sends nothing; a context need not be stored."
            + own
            + (" to be dropped with the consent." if kept else ""),
            "A test's log is of persons: keep it as long as the test and its history need, then delete it.",
            "These files hold no row of the data and no group of fewer than 20 users; the contexts in `vectors.json` "
            "are made up field by field.",
        ]
    )


def _list(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
