"""The example site in Chromium: what its policies make the browser fetch, and its beacons read back as an A/B test."""

import importlib.util
import json
import re
import secrets
import threading
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner

import workbench as wb
from workbench.cli import main

SITE = Path(__file__).parent.parent / "examples" / "site"


def module(name):
    spec = importlib.util.spec_from_file_location(name, SITE / f"{name}.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


serve, prepare = module("serve"), module("prepare")
AHEAD = re.compile(r'"GET (\S+) HTTP/1.1" 200 - "([^"]*)" "[^"]*" "prefetch"')


@pytest.fixture(scope="module")
def images(studied):
    return studied("synthetic_measurements", rows=6000)


@pytest.fixture(scope="module")
def exported(images, studied, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    wb.export_policy(images, folder / "images", "model")
    pages = studied("synthetic_navigations", rows=4000, scenario=prepare.SCENARIOS["pages"])
    wb.export_policy(pages, folder / "pages", "second-order Markov with back-off")
    prepare.write_photograph(folder)
    return folder


@pytest.fixture
def site(exported, tmp_path):
    running = serve.Site(exported, log=tmp_path / "log")
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


def visitor(images, pages):
    """A visitor's number that falls into these arms."""
    drawn = iter(lambda: secrets.token_hex(16), "")
    return next(one for one in drawn if (serve.arm_of(one, "images"), serve.arm_of(one, "pages")) == (images, pages))


@pytest.fixture
def visit(browser, site):
    """``visit(arm)``: a page of a new visitor; whatever the browser complains of fails the test."""
    contexts, said = [], []

    def opened(arm, images="treatment", **options):
        context = browser.new_context(**options)
        context.add_cookies([{"name": "visitor", "value": visitor(images, arm), "url": site.address}])
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        contexts.append(context)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []


def fetched_ahead(site):
    return [each[0] for each in AHEAD.findall((site.log / "access.log").read_text())]


def beacons(site):
    log = site.log / "beacons.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def named(site, page):
    """What the exported Speculation Rules of a page name, by eagerness."""
    if not site.rules[page].exists():
        return {}
    rules = json.loads(site.rules[page].read_text())["prefetch"]
    return {rule["eagerness"]: rule["urls"] for rule in rules}


def page_with_both(site):
    return next(page for page in site.pages if {"immediate", "moderate"} <= set(named(site, page)))


def hover(page, path):
    page.locator(f'nav a[href="{quote(path)}"]').hover()
    page.wait_for_timeout(600)  # Chromium takes a pointer that rests for 200 ms as moderate eagerness


def test_chromium_fetches_exactly_what_the_policy_names(site, visit):
    start = page_with_both(site)
    wanted = named(site, start)
    others = [start, *wanted["immediate"], *wanted["moderate"]]
    stranger = next(each for each in site.pages if each not in others)
    page = visit("treatment")
    page.goto(site.address + start)
    page.wait_for_timeout(600)
    assert sorted(fetched_ahead(site)) == sorted(wanted["immediate"])
    hover(page, stranger)
    assert sorted(fetched_ahead(site)) == sorted(wanted["immediate"])
    hover(page, wanted["moderate"][0])
    both = [*wanted["immediate"], wanted["moderate"][0]]
    assert sorted(fetched_ahead(site)) == sorted(both)
    page.locator(f'nav a[href="{quote(wanted["moderate"][0])}"]').click()
    page.wait_for_timeout(300)
    (row,) = beacons(site)
    assert row["page"] == start and sorted(json.loads(row["prefetched"])) == sorted(both)


@pytest.mark.parametrize(
    ("arm", "headers"),
    [("control", {}), ("treatment", {"Save-Data": "on"}), ("treatment", {"DNT": "1"}), ("treatment", {"Sec-GPC": "1"})],
)
def test_nothing_is_fetched_for_control_and_for_those_who_ask_for_less(arm, headers, site, visit):
    start = page_with_both(site)
    page = visit(arm, extra_http_headers=headers)
    page.goto(site.address + start)
    hover(page, named(site, start)["moderate"][0])
    assert fetched_ahead(site) == []
    page.goto("about:blank")
    page.wait_for_timeout(200)
    assert bool(beacons(site)) == (not headers)


@pytest.mark.parametrize(
    "asked", ["navigator.connection, 'saveData'", "navigator, 'doNotTrack'", "navigator, 'globalPrivacyControl'"]
)
def test_a_browser_that_asks_for_less_sends_no_beacon(asked, site, visit):
    page = visit("treatment")
    value = "'1'" if "Track" in asked else "true"
    page.add_init_script(f"Object.defineProperty({asked}, {{ get: () => {value} }})")
    page.goto(site.address + "/feed")
    page.wait_for_load_state("networkidle")
    page.goto("about:blank")
    page.wait_for_timeout(200)
    assert beacons(site) == []


def test_the_feed_shows_what_the_policy_decides_and_control_shows_medium(site, visit):
    policy = wb.load_policy(site.folder / "images")
    for arm in serve.ARMS:
        page = visit("control", images=arm)
        page.goto(site.address + "/feed")
        page.wait_for_load_state("networkidle")
        sources = page.locator("#photos img").evaluate_all("all => all.map((each) => new URL(each.src).pathname)")
        page.goto("about:blank")
        page.wait_for_timeout(200)
        row = beacons(site)[-1]
        decided = policy.decide({name: row[name] for name in policy.content["fields"] if name in row})["rendition"]
        served = decided if arm == "treatment" else "medium"
        assert (row["image_arm"], row["rendition_decided"], row["rendition_served"]) == (arm, decided, served)
        assert sources == [f"/images/{served}.webp"] * 12
        assert row["propensity"] == (1 if decided == "medium" else 0.5) and row["lcp_ms"] > 0 and row["rtt_ms"] > 0
        assert row["page_bytes"] > 12 * (site.folder / f"{served}.webp").stat().st_size


def as_beacons(log, arms):
    """Simulated visitors in the words of the beacon; times and arms as it writes them."""
    log = log[log["arm"].notna()]
    at = (log["measured_at"] - log["measured_at"].dt.floor("D").min()).dt.total_seconds() * 1000 + 1.79e12
    rows = log.drop(columns=["measured_at", "simulated"]).assign(at=at.round(), page="/feed")
    rows = rows.assign(image_arm=log["arm"].map(arms), page_arm="control", prefetched="[]")
    return [json.loads(line) for line in rows.to_json(orient="records", lines=True).splitlines()]


def test_browse_collect_load_and_read_the_test_back(site, visit, images, tmp_path):
    """Few are browsed; an A/B test needs 100 users an arm, so that simulated visitors are added to them."""
    for arm in serve.ARMS:
        page = visit(arm, images=arm)
        for path in ("/groups", "/feed", "/jobs"):
            page.goto(site.address + path)
            page.wait_for_load_state("networkidle")
        page.goto("about:blank")
        page.wait_for_timeout(200)
    measured, viewed = (wb.load(site.log / f"{name}.toml") for name in ("images", "pages"))
    assert sorted(measured["arm"]) == ["control", "treatment"] and measured["downlink_mbps"].notna().all()
    assert viewed.groupby("user_id", sort=False)["page"].agg(list).tolist() == [["/groups", "/feed", "/jobs"]] * 2
    card = site.log / "images.toml"
    with pytest.raises(wb.WorkbenchError, match="each arm needs 100 users; 'control' has 1 and 'treatment' has 1"):
        wb.experiment(card)
    arms = {"today": "control", "model": "treatment"}
    with (site.log / "beacons.jsonl").open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in as_beacons(wb.rehearse(images), arms))
    card.write_text(f"simulated = true\n{card.read_text()}")
    told = CliRunner().invoke(main, ["experiment", str(card), "--json"])
    assert told.exit_code == 0, told.output
    result = json.loads(told.stdout)
    rehearsed = wb.experiment(wb.rehearse(images), control="today")
    assert result["simulated"] and result["verdict"] != "no verdict"
    assert result["users"]["control"] == rehearsed.users["today"] + 1
    assert result["users"]["treatment"] == rehearsed.users["model"] + 1
    # Two browsed views among hundreds hardly move what the simulated ones say.
    net = result["arms"][0]["effects"]["net"]["difference"]["estimate"]
    assert net == pytest.approx(rehearsed.arms[0].effects["net"].difference.estimate, abs=1.5)
