import itertools
import re
import time
from urllib.parse import quote, unquote

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.datasets.cards import Card
from workbench.datasets.readers import links_of
from workbench.datasets.urls import normal_pages
from workbench.errors import WorkbenchError


def named(pages, links=None, host=None, **says):
    frame = pd.DataFrame({"page": pages}).assign(**({"host": host} if host else {}))
    return normal_pages(frame, Card(name="ours", kind="navigations", pages=says), links)


def names(pages, **says):
    return named(pages, static=True, **says)[0]["page"].tolist()


def told(pages, **says):
    return named(pages, **says)[0].attrs["warnings"]


@pytest.mark.parametrize(
    ("page", "addresses"),
    [
        (
            "/styles",
            ["/styles", "/styles/", "//styles//", "/styles/index.html", "/styles/Default.aspx?x=1", "/a/../styles"],
        ),
        ("/", ["/", "", "//", "/index.php", "/#top", "/?utm_source=mail", "/;jsessionid=1"]),
        ("/café", ["/caf%C3%A9", "/caf%c3%a9", "/café", "/caf%C3%A9/?q=1"]),
        ("/~ann", ["/~ann", "/%7eann", "/%7Eann"]),
        ("/a%2Fb", ["/a%2Fb", "/a%2fb"]),  # not the page b in the folder a
        ("/a%3Fb%23", ["/a%3fb%23"]),
        ("/50%25", ["/50%25", "/50%"]),
        ("/%FF%00%E2%80%AE", ["/%ff%00%e2%80%ae"]),  # no text, or none to be shown
        ("/w", ["/w;jsessionid=F0E9?x=1", "/w%3Bjsessionid=F0E9", "/(S(lit3py))/w", "/w;v=1.2;lang=de"]),
        ("/a&amp;b", ["/a&amp;b", "/a&amp%3Bb"]),
        ("/<b>x</b>", ["/<b>x</b>", "/%3Cb%3Ex%3C/b%3E"]),
        ("/of/<mail>/x", ["/of/ann@mail.example/x", "/of/bob%40mail.example/x"]),
    ],
)
def test_addresses_of_one_page_have_one_name(page, addresses):
    every = [*addresses, *(f"http://www.Shop.example{address}" for address in addresses)]
    assert set(names([every[0] or "/", *filter(None, every)])) == {page}


def test_names_stay_when_they_are_read_again():
    parts = [
        "a",
        "/",
        "//",
        "%2F",
        "%25",
        "%252F",
        "%C3%A9",
        "%ff",
        ";k=v",
        "é",
        " ",
        "?q=%26+",
        "#/r",
        "&",
        "=",
        "[",
        "<",
    ]
    addresses = ["/" + "".join(three) for three in itertools.product(parts, repeat=3)]
    once = names(addresses, keep_query=["*"], fragments=True)
    assert names(once, keep_query=["*"], fragments=True) == once and all(map(str.isprintable, once))


def test_percent_encoding_is_that_of_the_standard_library():
    text = [f"/{chr(code)}x" for code in range(0x21, 0x2FF) if chr(code).isprintable() and chr(code) not in "%?#/\\;."]
    assert names([quote(each, safe="/") for each in text]) == text == [unquote(quote(each)) for each in text]


def test_names_that_are_no_addresses_stay_whatever_they_are():
    frame = pd.DataFrame({"page": ["home", "logo.gif", "a/b?x=1", 7, None, "www.shop.example/a"]}, index=list("cabdef"))
    same, links, dropped = normal_pages(frame, Card(name="ours", kind="navigations"))
    assert same is frame and links is None and not dropped
    assert named([1, 2], host=["s.example", "t.example"])[0]["page"].tolist() == [1, 2]
    mixed, _, _ = named(["(not set)", "/a/", None, 7])
    assert mixed["page"].tolist()[::3] == ["(not set)", 7] and mixed["page"].isna().tolist() == [
        False,
        False,
        True,
        False,
    ]
    with pytest.raises(WorkbenchError, match="pages is for addresses"):
        named(["home", "cart"], ids="auto")


@pytest.mark.parametrize(
    ("addresses", "pages"),
    [
        (["https://shop.example/a", "http://WWW.Shop.Example:80/a", "/a"], ["/a"] * 3),
        (["https://ann:secret@s.example:443/a", "https://t.example/a"], ["s.example/a", "t.example/a"]),
        (
            ["https://xn--mller-kva.example/", "https://Müller.example/", "http://t.example:8080"],
            ["müller.example/"] * 2 + ["t.example:8080/"],
        ),
        (["http://[2001:db8::1]:80/a", "http://s.example./a"], ["[2001:db8::1]/a", "s.example/a"]),
        (
            ["https://s.example:99999/a?token=x", "https://]/b", "https://a b/c", "https://s.example/d"],
            ["/a", "/b", "/c", "/d"],
        ),
    ],
)
def test_the_host_belongs_to_the_page_where_there_are_several(addresses, pages):
    assert names(addresses) == pages


def test_a_column_of_hosts_counts_for_paths():
    assert named(["/", "/", "/b"], host=["s.example", "T.example:443", None])[0]["page"].tolist() == [
        "s.example/",
        "t.example/",
        "/b",
    ]
    assert named(["/", "/b"], host=["s.example", "-"])[0]["page"].tolist() == ["/", "/b"]


@pytest.mark.parametrize(
    ("keep", "pages"),
    [
        ([], ["/p", "/p", "/p", "/p"]),
        (["id"], ["/p?id=1", "/p?id=1", "/p?id=2 3", "/p?id=2 3"]),
        (["id", "b"], ["/p?b=x&id=1", "/p?b=x&id=1", "/p?id=2 3", "/p?id=2 3"]),
        (["*"], ["/p?b=x&id=1", "/p?b=x&id=1", "/p?id=2 3", "/p?id=2 3"]),
        (["gclid", "utm_source"], ["/p", "/p", "/p", "/p"]),
    ],
)
def test_parameters_stay_by_name_in_one_order_and_tracking_never(keep, pages):
    queries = ["id=1&b=x&gclid=7", "utm_source=mail&b=x&&id=1", "id=2+3&PHPSESSID=9", "i%64=2%203&fbclid=1"]
    assert names(["/", *(f"/p?{query}" for query in queries)], keep_query=keep) == ["/", *pages]


def test_a_value_stays_as_it_was_meant():
    values = ["%26", "%2B", "%3D", "%252F", "%2F", "a?b", "ann%40mail.example"]
    expected = ["%26", "%2B", "%3D", "%252F", "/", "a%3Fb", "<mail>"]
    assert names([f"/?q={value}" for value in values], keep_query=["q"]) == [f"/?q={value}" for value in expected]


def test_routes_are_pages_where_the_card_says_so_and_other_fragments_never():
    addresses = ["/#/cart", "/#!/cart/", "/#/cart?id=3&x=1", "/#/user/7", "/#top", "/app#/", "/" + "#/" * 5_000]
    expected = ["/#/cart", "/#/cart", "/#/cart?id=3", "/#/user/<id>", "/", "/app#/"]
    assert names(addresses, fragments=True, keep_query=["id"], ids="auto")[:-1] == expected
    assert set(names(addresses)) == {"/", "/app"}


IDS = [
    "7",
    "2026",
    "550e8400-e29b-41d4-a716-446655440000",
    "9e207da4",
    "507F1F77BCF86CD799439011",
    "aB3dE5fG7hI9jK1lM3",
]
WORDS = [
    "deadbeef",
    "facade",
    "v1.2",
    "iphone-15",
    "how-to-use-a-256gb-stick",
    "Top-10-Things-To-Do-In-2026",
    "b2b",
    "404.shtml.x",
]


@pytest.mark.parametrize(("part", "page"), [*((part, "<id>") for part in IDS), *((part, part) for part in WORDS)])
def test_ids_are_told_from_words(part, page):
    assert names([f"/o/{part}", f"/o/{part}/edit", f"/{part}.html", "/x"], ids="auto") == [
        *(f"/o/{page}", f"/o/{page}/edit", f"/{page}.html", "/x")
    ]
    assert names([f"/o/{part}", "/x"]) == [f"/o/{part}", "/x"]


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


@pytest.mark.parametrize(
    ("part", "page"),
    [
        (JWT, "<token>"),
        ("ImFubkBleGFtcGxlIg.ZbQ3xA.k9Qw7Er5Ty3Ui1Op-8As6Df_4Gh2Jk0L", "<token>"),
        ("ann%2540shop.example", "<mail>"),
        ("%252540".join(["ann", "shop.example"]), "<mail>"),
        ("+49-30-1234567", "<phone>"),
        ("tel:%2B49%20(30)%201234567", "<phone>"),
        ("550e8400-e29b-41d4-a716-446655440000", None),
        ("2fd4e1c67a2d28fced849ee1bb76e7391b93eb12", None),
        ("Top-10-Phones-Of-2026-iPhone-15-And-256GB-Sticks", None),
        ("c++", None),
    ],
)
def test_what_may_be_private_in_a_path_is_never_shown(part, page):
    assert names([f"/reset/{part}/go", f"/{part}", "/x"]) == [f"/reset/{page or part}/go", f"/{page or part}", "/x"]


def test_the_first_pattern_that_fits_names_the_page_and_goes_before_the_guess():
    patterns = {"/user/<id>": r"^/user/\d+$", "/user/<name>": "^/user/", "product": "^/p/", "/none": "^/none"}
    pages = ["/user/12/?tab=1", "/user/ann", "/p/12", "/p/13", "/order/9", "/order/10"]
    frame = named(pages, patterns=patterns, ids="auto", keep_query=["tab"])[0]
    assert frame["page"].tolist() == [
        "/user/<id>?tab=1",
        "/user/<name>",
        "product",
        "product",
        "/order/<id>",
        "/order/<id>",
    ]
    unused, guess = frame.attrs["warnings"]
    assert "/none fits no path" in unused and "4 pages out of 5" in guess


STATIC = (
    "a.css app.min.js f.woff2 logo.GIF?v=3 i.jpeg v.mp4 x.tar.gz setup.exe a.dmg doc.pdf robots.txt a.css.map "
    "site.webmanifest"
)
FEEDS = (
    "feed feed/ blog/feed/ rss news/rss.xml atom.xml index.xml blog.rss index.rdf ?flav=rss p?feed=rss2 "
    "?a=1&format=atom"
)
PAGES = (
    "v1.2 about.us a.html a.php a.aspx a.jsp gif pdf/ css/overview rss-explained feedback search?q=rss a.htm "
    "wiki/File:Bird.jpg Special:Talk.js ?q=logo.gif users/ann.lee"
)


@pytest.mark.parametrize(
    ("page", "reason"),
    [(page, reason) for pages, reason in ((STATIC, "static"), (FEEDS, "feed"), (PAGES, "")) for page in pages.split()],
)
def test_files_and_feeds_are_no_pages(page, reason):
    kept, _, dropped = named(["/z", f"/{page}", "/y"])
    assert dropped == ({reason: 1} if reason else {}) and len(kept) == (2 if reason else 3)
    assert len(names(["/z", f"/{page}", "/y"])) == 3


@pytest.mark.parametrize(
    "part", ["a", "1", "a1", "a@", "%2540", "+1", "aB1.", "%C3", ";a=", "?a=b&", "/a1b2", "a.", "#/a", "(S("]
)
def test_a_hostile_address_takes_no_longer_than_its_length_allows(part):
    address = "/" + part * (30_000 // len(part)) + "_!"
    begin = time.process_time()
    names([address, "/x"], ids="auto", keep_query=["*"], fragments=True)
    assert time.process_time() - begin < 2


def test_rows_that_stay_keep_index_order_and_columns():
    frame = pd.DataFrame({"n": range(5), "page": ["/b/", "/x.png", "/a", "/feed", "/b"]}, index=list("edcba"))
    kept, _, dropped = normal_pages(frame, Card(name="ours", kind="navigations"))
    assert kept.index.tolist() == ["e", "c", "a"] and kept["n"].tolist() == [0, 2, 4]
    assert kept["page"].tolist() == ["/b", "/a", "/b"] and dropped == {"static": 1, "feed": 1}


def test_links_get_the_names_of_the_views():
    links = pd.DataFrame({"from_page": ["/", "/index.html", "/a/"], "to_page": ["/A%7e", "/A~", "/logo.png"]})
    _, same, _ = named(["/", "/A~", "/a"], links)
    assert same.to_dict("records") == [{"from_page": "/", "to_page": "/A~"}]
    clicks = pd.DataFrame({"session_id": [1, 1, 1], "page": ["https://s.example/", "https://s.example/A~?x=1", "/a"]})
    views = wb.navigations(clicks, links=links, pages={"ids": "auto"})
    assert views["page"].tolist() == ["/", "/A~", "/a"]
    assert links_of(views).to_numpy().tolist() == [["/", "/A~"]]


def test_parameters_that_may_have_named_pages_are_told_without_their_values():
    pages = [f"/item?id={i % 7}&q=secret{i}&utm_id={i}&lang=de&x{i}=1&=2&secret{i}" for i in range(40)] + ["/"] * 60
    (sentence,) = told(pages)
    assert sentence.startswith("40 %") and ": id, q." in sentence and "keep_query = ['id']" in sentence
    assert not any(word in sentence for word in ("secret", "utm", "lang", "x1"))
    assert told(pages, keep_query=["id", "q"]) == () == told(["/item?id=1"] * 40 + ["/?id=2"] * 60)
    assert told(pages[:9] + ["/"] * 91) == ()


def test_the_parameters_kept_already_are_proposed_again():
    pages = [f"/p?id={i % 7}&shop={i % 5}" for i in range(40)]
    assert "keep_query = ['shop', 'id']" in told(pages, keep_query=["shop"])[0]


@pytest.mark.parametrize(
    "name",
    ["token", "access_token", "sid", "user-sid", "session", "key", "api_key", "apikey", "auth", "authKey", "sig"],
)
def test_a_parameter_that_may_be_a_secret_is_not_proposed(name):
    pages = [f"/p{i % 2}?{name}={i}" for i in range(40)]
    assert told(pages) == ()
    assert ": author, keyword." in told([f"{page}&author={i}&keyword={i}" for i, page in enumerate(pages)])[0]


def test_addresses_without_a_scheme_are_addresses_where_most_are():
    pages = ["Shop.example/p?utm_source=mail", "shop.example:80/p/?x=1", "Shop.example/"]
    assert names([*pages, "cart", "Shop.example"]) == ["/p", "/p", "/", "cart", "/"]
    mostly_names = [*pages, *["checkout.step"] * 3]
    assert named(mostly_names)[0]["page"].tolist() == mostly_names
    assert names(["shop.example/a?x=1", "mail.example/a"]) == ["shop.example/a", "mail.example/a"]


@pytest.mark.parametrize("value", [["/a"], np.array(["/a"]), {"url": "/a"}], ids=["list", "array", "dict"])
def test_pages_that_are_lists_are_refused_in_a_sentence(value):
    with pytest.raises(WorkbenchError, match=r"page must be text; 2 values are lists"):
        named(pd.Series(["/", value, value], dtype=object))


def test_routes_that_were_cut_are_told():
    assert "fragments = true" in told(["/#/a", "/#/b", "/c"])[0] and told(["/#/a", "/#b", "/c"], fragments=True) == ()


@pytest.mark.parametrize(
    ("pages", "way_out"),
    [
        (["/?id=1", "/index.php?id=2"], "keep_query = ['id']"),
        (["/#/a", "/#/b"], "fragments = true"),
        (["/a.gif", "/feed"], "static = true"),
        (["/", "/a.gif"], "static = true"),
    ],
)
def test_no_two_pages_are_left(pages, way_out):
    with pytest.raises(WorkbenchError) as err:
        named(pages)
    assert way_out in str(err.value) and "at least two pages" in str(err.value)


def test_the_addresses_of_the_simulated_site_are_names_already():
    site = wb.load("synthetic_navigations", rows=1_000)
    assert site["page"].str.startswith("/").all()
    assert names(site["page"]) == site["page"].tolist()


def test_a_frame_says_what_a_page_is_as_a_card_does(tmp_path):
    clicks = pd.DataFrame({"session_id": [1] * 4, "page": ["/", "/p?id=1", "/p?id=2", "/p.css"]})
    own = wb.navigations(clicks, pages={"keep_query": ["id"]})
    clicks.to_csv(tmp_path / "ours.csv", index=False)
    card = 'kind = "navigations"\norder = "file"\npages = { keep_query = ["id"] }\nfiles = [{ name = "ours.csv" }]'
    (tmp_path / "ours.toml").write_text(card)
    loaded = wb.load(tmp_path / "ours.toml")
    assert own["page"].tolist() == loaded["page"].tolist() == ["/", "/p?id=1", "/p?id=2"]
    assert own.attrs["dropped"]["static"] == loaded.attrs["dropped"]["static"] == 1
    assert wb.navigations(own, like=own)["page"].tolist() == own["page"].tolist()
    with pytest.raises(WorkbenchError, match="keep_queries"):
        wb.navigations(clicks, pages={"keep_queries": ["id"]})


def views_of(users, pages):
    times = pd.Timestamp("2026-01-01T00:00:07Z") + pd.to_timedelta(np.arange(len(users)) * 3_601, unit="s")
    return wb.navigations(pd.DataFrame({"user_id": users, "viewed_at": times, "page": pages}))


def test_one_visitor_with_many_views_is_told_and_not_by_name():
    users = np.r_[np.repeat("ann", 150), np.arange(850).astype(str)]
    pages = np.resize(["/a", "/b"], 1_000)
    (sentence,) = views_of(users, pages).attrs["warnings"]
    assert "150 of the 1,000 views (15 %)" in sentence and "ann" not in sentence
    assert views_of(users[101:], pages[101:]).attrs["warnings"] == ()  # 49 views
    assert views_of(np.repeat(np.arange(8), 125).astype(str), pages).attrs["warnings"] == ()  # all alike


def test_pages_viewed_once_are_told_with_what_to_write():
    users, pages = np.arange(100).astype(str), [f"/user/{i}" for i in range(60)] + ["/"] * 40
    (sentence,) = views_of(users, pages).attrs["warnings"]
    assert "60 of 61" in sentence and "ids = 'auto'" in sentence
    few = [f"/{i}" for i in range(9)] + ["/"] * 91  # 9 % of the views
    assert views_of(users, few).attrs["warnings"] == ()


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        *(
            (path, "script")
            for path in ("/api/v1/stock/7", "/de/api/x", "/graphql", "/wp-json/a", "/wp-admin/admin-ajax.php")
        ),
        *((path, "script") for path in ("/ajax/cart", "/socket.io/?EIO=4", "/.env")),
        *(
            (path, "script")
            for path in ("/jobs?_rsc=1a2b", "/jobs?q=1&_data=routes%2Fjobs", "/jobs.data", "/g/collect")
        ),
        *((path, "script") for path in ("/stats/matomo.php?idsite=1", "/livewire/message/cart", "/hub/negotiate")),
        *((path, "script") for path in ("/ws", "/metrics", "/server-status", "/healthz")),
        *((path, "skipped") for path in ("/stock/7", "/stock")),
        *((path, "") for path in ("/apis", "/shop/graphql-guide", "/api-docs", "/myajax", "/out-of-stock")),
        *((path, "") for path in ("/collection", "/health", "/news/metrics", "/jobs?open_data=1")),
    ],
)
def test_what_scripts_ask_for_and_what_a_card_skips_is_no_page(path, reason):
    rows = pd.DataFrame({"session_id": 1, "page": ["/", path, "/a"]})
    views = wb.navigations(rows, pages={"skip": ["^/stock"]})
    assert ({reason: 1}.items() if reason else set()) <= views.attrs["dropped"].items()
    assert len(views) == 3 - bool(reason)
    kept = wb.navigations(rows, pages={"static": True})
    assert len(kept) == 3


@pytest.mark.parametrize(
    ("column", "left"),
    [({}, 4), ({"user_agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}, 3), ({"status": 200}, 3)],
)
def test_a_page_may_be_called_feed_where_rows_are_no_requests(column, left):
    rows = pd.DataFrame({"session_id": 1, "page": ["/", "/feed", "/a", "/news.rss", "/b"], **column})
    assert len(wb.navigations(rows)) == left


@pytest.mark.parametrize(
    ("feed", "others", "words"),
    [
        (["/feed"] * 6, 94, "6 % of the views are of /feed.*static = true"),
        (["/de/feed/"] * 3 + ["/de/feed"] * 3, 94, "6 % of the views are of /de/feed,"),
        (["/feed"] * 5, 95, ""),
        (["/feed.xml"] * 50, 50, ""),
        (["/?feed=rss"] * 50, 50, ""),
        (["/of/anna7/feed"] * 50, 50, "of /feed,"),  # what may be a person's name is not shown
    ],
)
def test_a_feed_that_may_be_a_page_is_told(feed, others, words):
    said = " ".join(told(feed + [f"/p{i % 7}" for i in range(others)]))
    assert re.search(words, said) if words else not said
    assert "anna" not in said
