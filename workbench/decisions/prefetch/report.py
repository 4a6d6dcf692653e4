"""The rows and sentences of a report that are prefetching's own. Numbers in, words out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pandas as pd

from workbench.datasets.columns import listed
from workbench.datasets.sessions import has_dwell
from workbench.decisions.decision import WHO, Finding, cost_sentence, more_or_fewer
from workbench.decisions.prefetch.replay import PrefetchFigures

event = "the page is opened next"
# The figures of each case of hover; with nothing fetched early, hover is alone.
ALONE, RULE, MODEL = "nothing fetched early", "best rule", "model"


def headline(result: Finding) -> str:
    """What the first line asks for."""
    return f"up to {_pages(result.scenario.k)} a view"


def key_figures(figures: PrefetchFigures) -> dict[str, str]:
    """One policy of 1,000 views, in words of the person who decides."""
    return {
        "pages ready at the click": f"{10 * figures.hits_per_100:,.0f}",
        "unused prefetches": f"{1000 * figures.unused_per_view:,.0f}",
        "waiting saved": f"{figures.ms_saved_per_view:,.0f} s",  # 1,000 views, and 1,000 ms in a second
        "MB wasted": f"{figures.bytes_wasted_per_view / 1000:,.0f}",  # 1,000 views, and 10^6 bytes in a MB
    }


def policy_row(figures: PrefetchFigures, every_column: bool) -> dict[str, str]:
    """One policy in the table of all: five columns, or every one."""
    row = {
        "hits per 100": f"{figures.hits_per_100:.1f}",
        "unused per 100": f"{100 * figures.unused_per_view:.1f}",
        "precision %": _percent(figures.precision),
        "saved": f"{figures.ms_saved_per_view:,.0f} ms",
    }
    if every_column:
        row |= {
            "recall %": _percent(figures.recall),
            "top 1 %": _percent(figures.top1),
            "top 3 %": _percent(figures.top3),
            "byte precision %": _percent(figures.byte_precision),
            "traffic %": f"{100 * figures.traffic_increase:+.1f}",
            "slowed": f"{figures.contention_ms_per_view:,.0f} ms",
            "kB wasted": f"{figures.bytes_wasted_per_view / 1000:,.0f}",
        }
    return row


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def views_sentence(result: Finding) -> str:
    """What a prefetch costs, and which views count."""
    return (
        f"Price: {result.scenario.price_in_words}. {100 * result.detail.end_share:.0f} % of views end a session; they "
        "are counted too."
    )


def first_step(result: Finding) -> str:
    """Fetch on hover, where a site does not and that alone saves more for each unused page than the model."""
    (without, beside), first = result.detail.cases, result.detail.hover_first
    if result.scenario.on_hover or first is None or first.low <= 0:
        return ""
    alone, model = (_saved_per_unused(case.figures[who]) for case, who in ((beside, ALONE), (without, MODEL)))
    more = f"{first.estimate:+.2f}, {first.low:+.2f} to {first.high:+.2f}"
    return f"Do this first: fetch on hover. It saves {alone} s for each unused page, the model {model} s ({more})."


def _saved_per_unused(figures: PrefetchFigures) -> str:
    saved_ms = figures.ms_saved_per_view - figures.contention_ms_per_view
    return f"{saved_ms / 1000 / figures.unused_per_view:.2f}"


def cost(result: Finding) -> str:
    """Bytes of unused pages, and what sending them costs."""
    wasted = [result.of(which).figures.bytes_wasted_per_view / 1000 for which in WHO]  # kB a view: MB of 1,000 views
    return cost_sentence("wasted", wasted, result.scenario.usd_per_gb)


def trade_off(result: Finding) -> str:
    """Hits and unused pages, model against best rule; and its gain in the other case of hover."""
    model, rule = (result.of(which).figures for which in ("model", "best_rule"))
    hits = more_or_fewer(10 * (model.hits_per_100 - rule.hits_per_100), "hits")
    unused = more_or_fewer(1000 * (model.unused_per_view - rule.unused_per_view), "pages")
    place, where = (
        (0, "On a site without hover") if result.scenario.on_hover else (1, "Where pages are fetched on hover too")
    )
    other = _seen(result)[place]
    return f"Per 1,000 views the model has {hits} and wastes {unused}. {where}, model minus best rule: {other}."


def _seen(result: Finding) -> list[str]:
    return [result.unit.seen(case.difference, case.differing) for case in result.detail.cases]


def _both_cases(result: Finding) -> str:
    without, beside = _seen(result)
    return f"Model minus best rule on a site without hover: {without}; where pages are fetched on hover too: {beside}"


def who_waits(result: Finding) -> str:
    """Whose waiting the safety check looks at."""
    everybody = result.safety.added_wait.clusters == result.difference.clusters  # all pages are taken to load alike
    return f"all {result.people}" if everybody else f"the fifth of {result.people} with the slowest pages"


def findings(result: Finding) -> dict[str, str]:
    """One sentence for each heading that is the decision's own."""
    rule, model = result.of("best_rule"), result.of("model")
    return {
        "data": _data_finding(result),
        "model": _model_finding(result),
        "calibration": _calibration_finding(result),
        "frontier": _frontier_finding(result),
        "session": f"In an example session the model fetches {_fetched(result, 'model')}, the best rule "
        f"{_fetched(result, 'rule')}",
        "hover": _both_cases(result),
        "break_even": f"Price: {result.scenario.price_in_words}",
        "saved": f"The model saves {model.figures.ms_saved_per_view:,.0f} ms a view, the best rule "
        f"{rule.figures.ms_saved_per_view:,.0f} ms, {_measured_or_not(result)}",
    }


def _data_finding(result: Finding) -> str:
    train = result.split.train
    pages, sessions = train["page"].nunique(), train["session_id"].nunique()
    return (
        f"{pages:,} pages, {len(train) / sessions:.1f} views a session; {100 * result.detail.end_share:.0f} % of views "
        "are the last of their session"
    )


def _model_finding(result: Finding) -> str:
    ours = result.detail.ranking[result.of("model").name]
    if ours.top1 is None or ours.top3 is None:
        return "No view of the test part has a next page"
    return (
        f"The model ranks the next page first in {100 * ours.top1:.0f} % of clicks, among the first three in "
        f"{100 * ours.top3:.0f} %"
    )


def _calibration_finding(result: Finding) -> str:
    top = result.reliability.iloc[-1]
    return (
        f"In the most confident tenth of predictions, {100 * top['chance']:.0f} % were predicted to be opened next and "
        f"{100 * top['share']:.0f} % were"
    )


def _frontier_finding(result: Finding) -> str:
    table, names = result.detail.hits_at, [result.of(which).name for which in ("model", "best_rule")]
    reached = [at for at in table.columns if set(names) <= set(table.index) and table.loc[names, at].notna().all()]
    if not reached:
        return "The two frontiers do not overlap, so they cannot be compared at equal cost"
    at = min(reached, key=lambda unused: abs(unused - 0.25))
    ours, theirs = (float(table.loc[name, at]) for name in names)
    return (
        f"At {at:g} unused prefetches a view, the model has {ours:.1f} hits per 100 views, the best rule {theirs:.1f}"
    )


def _fetched(result: Finding, who: str) -> str:
    session = result.detail.session
    pages, hits = (int(session[f"{who}_{what}"].map(len).sum()) for what in ("pages", "hits"))
    return f"{_pages(pages)}, {hits} of them opened"


def _pages(count: int) -> str:
    return f"{count} {'page' if count == 1 else 'pages'}"


def _measured_or_not(result: Finding) -> str:
    assumed = result.of("model").figures.assumed
    return f"with assumed {listed(assumed)}" if assumed else "by measured times and sizes"


def assumptions(result: Finding) -> list[str]:
    """What the figures rest on, beyond what every decision says."""
    scenario = result.scenario
    return [
        f"Net is hits minus {scenario.unused_price:.3f} for each unused prefetch, per view: {scenario.price_in_words} "
        f"(a break-even of {scenario.break_even:g}).",
        *_page_sentences(result),
        *_cache_sentences(result),
        f"Up to {_pages(scenario.k)} {'is' if scenario.k == 1 else 'are'} fetched a view. No session is cut by the "
        "split.",
        *_assumed_sentences(result),
        *_hover_sentences(result),
        "The limits of policies (except Guess.js's, which are published) and the smoothing of Markov rules and similar "
        "sessions were picked before test.",
        "A prefetched page is taken to be what the user would have loaded, and not to change what the user does.",
    ]


def _assumed_sentences(result: Finding) -> list[str]:
    """What milliseconds and bytes rest on where nothing was measured."""
    scenario, assumed = result.scenario, result.of("model").figures.assumed
    networks = ", ".join(f"{name} {rtt:g} ms and {mbps:g} Mbit/s" for name, (rtt, mbps) in scenario.networks.items())
    sentences = {
        "page bytes": f"No page sizes were measured: {scenario.page_bytes / 1000:,.0f} kB a page are assumed.",
        "dwell": f"No dwell times were measured: {scenario.dwell_s:g} s on each page are assumed.",
        "network": f"No speeds were measured; assumed by effective type: {networks} (4g where it is unknown).",
    }
    return [sentence for name, sentence in sentences.items() if name in assumed]


def _hover_sentences(result: Finding) -> list[str]:
    """What fetching on hover is taken to do, and in which figures it is."""
    hover = result.detail.cases[1].scenario.on_hover
    pointer = f"{100 * hover.pointer(result.split.test).mean():.0f} % of views"
    if hover.share is None and "device" not in result.split.test:
        pointer += " (no device is known)"
    where = "under every policy, never included" if result.scenario.on_hover else "where it is named, nowhere else"
    return [
        f"Fetching on hover ({where}): {pointer} have a pointer, {100 * hover.precision:g} % of links hovered over are "
        f"clicked, and {hover.lead_ms:g} ms are left to the click (published for instant.page, not measured here). A "
        "hit counts by the part of the page's load that is over at the click; every click is taken to follow a hover."
    ]


def _page_sentences(result: Finding) -> list[str]:
    """What a page is, where pages are addresses."""
    if not result.split.train["page"].cat.categories.str.contains("/").any():
        return []
    kept = result.split.card.pages.keep_query
    return [
        f"A page is its path with the query parameters {', '.join(kept)}; others were cut."
        if kept
        else "A page is its path; query parameters were cut."
    ]


def _cache_sentences(result: Finding) -> list[str]:
    scenario = result.scenario
    if not scenario.cache:
        why = " (pages of this site are sections with changing content)" if result.split.card.sections else ""
        return [f"No cache is replayed{why}: a prefetch serves the very next view or nothing."]
    timed = has_dwell(result.split.train)
    lifetime = f"{scenario.lifetime_s:g} s" if timed else f"{scenario.lifetime_views:g} views"
    return [
        f"A page stays fresh for {lifetime} in the session's cache: a page fetched now may be hit some views later, "
        "and fresh pages are not fetched again."
    ]


def to_dict(result: Finding) -> dict[str, dict[str, Any]]:
    """What ``--json`` adds about data, evidence, frontier and model."""
    detail, scenario = result.detail, result.scenario
    records = detail.hits_at.astype(object).where(detail.hits_at.notna(), None).to_dict("index")
    hits = {name: {f"{at:g}": value for at, value in row.items()} for name, row in records.items()}
    return {
        "data": {"session_end_share": detail.end_share},
        "evidence": {"break_even": scenario.break_even, "unused_price": scenario.unused_price},
        "frontier": {"hits_per_100_at_unused": hits, "hover": _hover_dict(result)},
        "model": {"ranking": {name: asdict(rank) for name, rank in detail.ranking.items()}},
    }


def _hover_dict(result: Finding) -> dict[str, Any]:
    """Both cases, and what hover alone saves for each unused page beyond the model."""
    first, (without, beside) = result.detail.hover_first, result.detail.cases

    def case(of: Any) -> dict[str, Any]:
        difference = {"difference": of.difference.estimate, "interval": [of.difference.low, of.difference.high]}
        figures = {name: asdict(each) for name, each in of.figures.items()}
        return {"best_rule": of.best_rule, "model_vs_best_rule": difference, "policies": figures}

    return {
        "assumed": asdict(beside.scenario.on_hover),
        "pointer_share": float(beside.scenario.on_hover.pointer(result.split.test).mean()),
        "without": case(without),
        "with": case(beside),
        "saved_s_per_unused_hover_minus_model": None if first is None else asdict(first),
    }


def tables(result: Finding) -> dict[str, pd.DataFrame]:
    """Hits per 100 views at given numbers of unused prefetches a view, by policy, and both cases of hover; cells are
    text.
    """
    table = result.detail.hits_at
    cells = table.map(lambda hits: "" if pd.isna(hits) else f"{hits:.1f}")
    named = cells.set_axis([f"{at:g} unused a view" for at in table.columns], axis=1)
    rows = {
        f"{site}: {case.best_rule if name == RULE else name}": {"net": result.unit.amount(figures.net)}
        | policy_row(figures, every_column=False)
        for site, case in zip(("without hover", "with hover"), result.detail.cases, strict=True)
        for name, figures in case.figures.items()
    }
    hover = pd.DataFrame.from_dict(rows, orient="index")
    return {"hits": named.rename_axis("hits per 100 views"), "hover": hover.rename_axis("site and policy")}
