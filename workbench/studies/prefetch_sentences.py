"""The sentences of a finding about prefetching: first screen, headings, assumptions. Numbers in, words out."""

from __future__ import annotations

from workbench.datasets.sessions import has_dwell
from workbench.evidence.bootstrap import RESAMPLES
from workbench.evidence.verdict import HARMFUL, NOT_SHOWN
from workbench.studies.comparison import Comparison
from workbench.studies.wording import OFFLINE, cost_sentence, difference_sentence, flips, next_step, verdict_finding


def first_screen(result: Comparison) -> dict[str, str]:
    """The sentences of the first screen, by what they tell."""
    card, scenario = result.split.card, result.scenario
    source = "SIMULATED views" if card.simulated else "REAL page views"
    return {
        "title": f"PREFETCH - {card.name} - {source}, {_crowd(result)} - up to {_pages(scenario.k)} a view",
        "recommendation": result.recommendation.text,
        "difference": difference_sentence(result),
        "views": f"The price: {scenario.price_in_words}. {100 * result.prefetch.end_share:.0f} % of the views end a "
        "session; they count too.",
        "cost": cost_sentence(result),
        "safety": _safety_sentence(result),
        "next": next_step(result),
    }


def _crowd(result: Comparison) -> str:
    parts = [part for _, part in result.split.parts()]
    views = f"{sum(map(len, parts)):,} views"
    if "user_id" in parts[0]:
        users = len({user for part in parts for user in part["user_id"].unique()})
        return f"{views} of {users:,} {'user' if users == 1 else 'users'}"
    return f"{views} in {sum(part['session_id'].nunique() for part in parts):,} sessions"


def _safety_sentence(result: Comparison) -> str:
    added, tolerance = result.safety.added_wait, result.safety.tolerance_ms
    wait = f"{added.estimate:+,.0f} ms a view ({added.low:+,.0f} to {added.high:+,.0f}; tolerated: {tolerance:,.0f})"
    everybody = added.clusters == result.difference.clusters  # all pages are taken to load alike
    who = "people" if everybody else "those with the slowest pages"
    if result.safety.word == HARMFUL:
        return f"HARMFUL: the model makes {who} wait longer than the rule does: {wait}."
    if result.safety.word == NOT_SHOWN:
        return f"it is not shown that {who} wait no longer with the model than tolerated: {wait}."
    return f"{who} wait no longer with the model than tolerated: {wait}."


def findings(result: Comparison) -> dict[str, str]:
    """One sentence for each heading of a proposal, by what it is about."""
    rule, model = result.of("best_rule"), result.of("model")
    return {
        "data": _data_finding(result),
        "model": _model_finding(result),
        "calibration": _calibration_finding(result),
        "rules": f'The best rule is "{rule.name}"',
        "frontier": _frontier_finding(result),
        "session": f"In one example session the model fetches {_fetched(result, 'model')}, the rule "
        f"{_fetched(result, 'rule')}",
        "break_even": f"The price: {result.scenario.price_in_words}",
        "saved": f"The model saves {model.figures.ms_saved_per_view:,.0f} ms a view, the rule "
        f"{rule.figures.ms_saved_per_view:,.0f} ms, {_measured_or_not(result)}",
        "sensitivity": flips(result).split(":")[0].rstrip(".") or "No assumption was changed",
        "verdict": verdict_finding(result),
        "headroom": f"Perfect knowledge would gain {result.unit.amount(result.headroom)} {result.unit.name} over "
        "fetching nothing: " + ("there is something to win" if result.headroom >= result.margin else "there is little"),
    }


def _data_finding(result: Comparison) -> str:
    train = result.split.train
    pages, sessions = train["page"].nunique(), train["session_id"].nunique()
    return (
        f"{pages:,} pages, {len(train) / sessions:.1f} views a session; {100 * result.prefetch.end_share:.0f} % of the "
        "views are a session's last"
    )


def _model_finding(result: Comparison) -> str:
    ours = result.prefetch.ranking[result.of("model").name]
    if ours.top1 is None or ours.top3 is None:
        return "No view of the test part has a next page"
    return (
        f"The model names the next page first in {100 * ours.top1:.0f} % of the clicks, among three in "
        f"{100 * ours.top3:.0f} %"
    )


def _calibration_finding(result: Comparison) -> str:
    top = result.reliability.iloc[-1]
    return (
        f"Of the tenth of the pages named that the model is surest of, it expected {100 * top['chance']:.0f} % to be "
        f"opened next; {100 * top['share']:.0f} % were"
    )


def _frontier_finding(result: Comparison) -> str:
    table, names = result.prefetch.hits_at, [result.of(which).name for which in ("model", "best_rule")]
    reached = [at for at in table.columns if set(names) <= set(table.index) and table.loc[names, at].notna().all()]
    if not reached:
        return "The frontiers of model and best rule share no point"
    at = min(reached, key=lambda unused: abs(unused - 0.25))
    ours, theirs = (float(table.loc[name, at]) for name in names)
    return f"At {at:g} unused prefetches a view, the model hits {ours:.1f} times in 100 views, the rule {theirs:.1f}"


def _fetched(result: Comparison, who: str) -> str:
    session = result.prefetch.session
    pages, hits = (int(session[f"{who}_{what}"].map(len).sum()) for what in ("pages", "hits"))
    return f"{_pages(pages)} and is right with {hits}"


def _pages(count: int) -> str:
    return f"{count} {'page' if count == 1 else 'pages'}"


def _measured_or_not(result: Comparison) -> str:
    assumed = result.of("model").figures.assumed
    named = " and ".join([", ".join(assumed[:-1]), assumed[-1]] if len(assumed) > 1 else assumed)
    return f"with assumed {named}" if assumed else "by measured times and sizes"


def assumptions(result: Comparison) -> list[str]:
    """What the figures rest on, one sentence each."""
    scenario, card, split = result.scenario, result.split.card, result.split
    sentences = [
        f"Net is hits minus {scenario.unused_price:.3f} for each unused prefetch, per view: {scenario.price_in_words} "
        f"(a break-even of {scenario.break_even:g}).",
        *_cache_sentences(result),
        f"Up to {_pages(scenario.k)} {'is' if scenario.k == 1 else 'are'} fetched a view. Policies see what is known "
        f"by {result.known_by}; the split is {split.how}, seed {split.seed}, and no session is cut.",
        *_assumed_sentences(result),
        "Limits (but for Guess.js's, which are published), the smoothing of Markov rules and the best rule were picked "
        "on other views.",
        f"Intervals are 95 %, from {RESAMPLES:,} paired resamples of {result.test_users:,} {split.people}. Only model "
        "against best rule gets a verdict; all else is exploratory.",
        "A prefetched page is taken to be what the person would have loaded, and to change nothing of what the person "
        "does.",
    ]
    if split.dropped.get("repeats"):
        repeats = split.dropped["repeats"]
        sentences.append(f"{repeats:,} repeats of the current page were collapsed: a reload is no navigation.")
    if card.simulated:
        sentences.insert(0, "SIMULATED: the rows come from a simulated world, not from people.")
    if card.note:
        sentences.append(f"About the data: {card.note}")
    return [*sentences, OFFLINE]


def _assumed_sentences(result: Comparison) -> list[str]:
    """What milliseconds and bytes rest on where nothing was measured."""
    scenario, assumed = result.scenario, result.of("model").figures.assumed
    networks = ", ".join(f"{name} {rtt:g} ms and {mbps:g} Mbit/s" for name, (rtt, mbps) in scenario.networks.items())
    told = {
        "page bytes": f"No page sizes were measured: {scenario.page_bytes / 1000:,.0f} kB a page are assumed.",
        "dwell": f"No dwell times were measured: {scenario.dwell_s:g} s on each page are assumed.",
        "network": f"No speeds were measured; by effective type are assumed {networks} (4g where it is unknown).",
    }
    return [sentence for name, sentence in told.items() if name in assumed]


def _cache_sentences(result: Comparison) -> list[str]:
    scenario = result.scenario
    if not scenario.cache:
        why = " (pages of this site are sections, whose content moves on)" if result.split.card.sections else ""
        return [f"No cache is replayed{why}: a prefetch serves the very next view or nothing."]
    timed = has_dwell(result.split.train)
    lifetime = f"{scenario.lifetime_s:g} s" if timed else f"{scenario.lifetime_views:g} views"
    return [
        f"A page stays fresh for {lifetime} in the session's cache: a page fetched now may be hit some views later, "
        "and fresh pages are not fetched again."
    ]
