"""The example site in Chromium: what its policies make the browser fetch, and its beacons read back as an A/B test."""

import importlib.util
import json
import re
import secrets
import shutil
import threading
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

import pandas as pd
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
MARKOV = "second-order Markov with back-off"
AHEAD = re.compile(r'"GET (\S+) HTTP/1.1" 200 - "([^"]*)" "[^"]*" "prefetch"')


@pytest.fixture(scope="module")
def studies(studied):
    pages = studied("synthetic_navigations", rows=4000, scenario=prepare.SCENARIOS["pages"])
    return {"images": studied("synthetic_measurements", rows=6000), "pages": pages}


@pytest.fixture(scope="module")
def exported(studies, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    wb.export_policy(studies["images"], folder / "images", "model")
    wb.export_policy(studies["pages"], folder / "pages", MARKOV)
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
    if page not in site.rules:
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


def test_the_beacon_is_small():
    assert (SITE.parent / "beacon" / "rum.js").stat().st_size < 3000


@pytest.mark.parametrize(
    ("body", "status", "kept"),
    [
        (
            b'{"page": "/feed", "lcp_ms": 9, "mail": "a@b.c", "os_family": {"a": 1}}',
            204,
            {"page": "/feed", "lcp_ms": 9},
        ),
        (b'{"page": "/feed", "image_arm": "mine", "user_id": "mine"}', 204, {"page": "/feed"}),
        (b'{"page": "/nowhere"}', 204, None),
        (b"[1]", 400, None),
        (b"{", 400, None),
        (b"\xff", 400, None),
        (b" " * 20_001, 400, None),
    ],
)
def test_a_beacon_brings_nothing_but_what_it_may(body, status, kept, site):
    number = visitor("treatment", "control")
    connection = HTTPConnection("127.0.0.1", site.server_port)
    connection.request("POST", "/beacon", body, {"Cookie": f"visitor={number}"})
    assert connection.getresponse().status == status
    connection.close()
    added = {"user_id": number, "prefetched": "[]", "image_arm": "treatment", "page_arm": "control"}
    assert beacons(site) == ([] if kept is None else [kept | added])


def simulated_visitors(name, site, studies):
    """The log of an A/B test that simulated visitors leave: of the image policy, or of the Speculation Rules."""
    if name == "images":
        log = wb.rehearse(studies["images"], ["today", "model"])
        log["arm"] = log["arm"].map({"today": "control", "model": "treatment"})
        return log[log["arm"].notna()]
    log = wb.load("synthetic_navigations", rows=12_000)
    log["arm"] = pd.Series(serve.ARMS)[pd.factorize(log["user_id"])[0] % 2].to_numpy()
    ahead = {page: json.dumps(named(site, page).get("immediate", [])) for page in site.pages}
    log["prefetched"] = log["page"].astype(str).map(ahead).where(log["arm"].eq("treatment")).fillna("[]")
    return log


def as_beacons(log, name):
    """Visitors in the words of the beacon."""
    time = "measured_at" if name == "images" else "viewed_at"
    rows = log.drop(columns=[time, "arm", "simulated", "session_id", "position", "view_id"], errors="ignore")
    rows = rows.assign(at=log[time].astype("int64") // 1000, page=log.get("page", "/feed"))
    return rows.assign(**{f"{name[:-1]}_arm": log["arm"]}).to_json(orient="records", lines=True)


def browse(site, visit):
    """One visitor in each arm sees three pages."""
    for arm in serve.ARMS:
        page = visit(arm, images=arm)
        for path in ("/groups", "/feed", "/jobs"):
            page.goto(site.address + path)
            page.wait_for_load_state("networkidle")
        page.goto("about:blank")
        page.wait_for_timeout(200)


@pytest.mark.parametrize("name", ["images", "pages"])
def test_browse_collect_load_and_read_the_test_back(name, site, visit, studies):
    """Few are browsed; an A/B test needs 100 users an arm, so that simulated visitors are added to them."""
    browse(site, visit)
    card = site.log / f"{name}.toml"
    views = wb.load(card)
    assert views.groupby("user_id", sort=False)["arm"].agg(set).tolist() == [{"control"}, {"treatment"}]
    if name == "images":
        assert len(views) == 2 and views[["rtt_ms", "downlink_mbps", "lcp_ms"]].notna().all(axis=None)
    else:
        assert views["page"].tolist() == ["/groups", "/feed", "/jobs"] * 2
        sent = [set(json.loads(each)) for each in views["prefetched"]]
        assert sent == [set()] * 3 + [
            set(named(site, page).get("immediate", [])) for page in ("/groups", "/feed", "/jobs")
        ]
    with pytest.raises(wb.WorkbenchError, match="each arm needs 100 users; 'control' has 1 and 'treatment' has 1"):
        wb.experiment(card)
    others = simulated_visitors(name, site, studies)
    with (site.log / "beacons.jsonl").open("a") as file:
        file.write(as_beacons(others, name))
    card.write_text(f"simulated = true\n{card.read_text()}")
    estimated = ["--policy", str(site.folder / "images")] if name == "images" else []
    told = CliRunner().invoke(main, ["experiment", str(card), *estimated, "--json"])
    assert told.exit_code == 0, told.output
    result, alone = json.loads(told.stdout), wb.experiment(others)
    assert result["simulated"] and result["verdict"] != "no verdict"
    assert list(result["users"].values()) == [users + 1 for users in alone.users.values()]
    # Two browsed visitors hardly move what hundreds of simulated ones say.
    net, wanted = result["arms"][0]["effects"]["net"]["difference"], alone.arms[0].effects["net"].difference
    assert net["estimate"] == pytest.approx(wanted.estimate, abs=wanted.half_width / 5)
    if name == "images":
        assert result["arms"][0]["held"] != "did not hold"
        train_serve_and_browse_again(site, visit, card)


def train_serve_and_browse_again(site, visit, card):
    """What the log teaches is exported in place of the first policy, and decides in the browser."""
    before = wb.load_policy(site.folder / "images").content["version"]
    folder = site.log.parent / "next"
    shutil.copytree(site.folder, folder)
    wb.export_policy(wb.study(str(card)), folder / "images", "model")
    site.folder = folder
    policy = wb.load_policy(folder / "images")
    assert policy.content["version"] != before and policy.content["simulated"]
    browse(site, visit)
    row = next(row for row in reversed(beacons(site)) if row["page"] == "/feed")
    known = {field: row[field] for field in policy.content["fields"] if field in row}
    assert row["rendition_served"] == row["rendition_decided"] == policy.decide(known)["rendition"]
