import pandas as pd
import pytest

from workbench.datasets.user_agents import KINDS, name_programs, read_user_agents

SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5"
MOBILE = f"{SAFARI} Mobile/15E148 Safari/604.1"
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0"
WEBVIEW = "AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.0.0 Mobile Safari/537.36"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X)"
PEOPLE = [
    (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Safari/537.36", "desktop", "Windows", "Chrome"),
    (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {SAFARI} Safari/605.1.15", "desktop", "Mac OS X", "Safari"),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "desktop", "Linux", "Firefox"),
    (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Safari/537.36", "desktop", "Chrome OS", "Chrome"),
    (f"{PHONE} {MOBILE}", "phone", "iOS", "Mobile Safari"),
    (f"Mozilla/5.0 (iPad; CPU OS 16_1 like Mac OS X) {MOBILE}", "tablet", "iOS", "Mobile Safari"),
    (f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {WEBKIT} Mobile Safari/537.36", "phone", "Android", "Chrome Mobile"),
    (f"Mozilla/5.0 (Linux; Android 13; SM-X700) {WEBKIT} Safari/537.36", "tablet", "Android", "Chrome"),
    (f"Mozilla/5.0 (Linux; Android 9; CUBOT X19) {WEBKIT} Mobile Safari/537.36", "phone", "Android", "Chrome Mobile"),
]
ALSO_PEOPLE = [
    "Mozilla/5.0 (Windows NT 10.0)",
    "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)",
    "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko",
    "Opera/9.80 (Android; Opera Mini/36.2.2254/119.132; U; id) Presto/2.12.423 Version/12.16",
    "Lynx/2.8.9rel.1 libwww-FM/2.14 SSL-MM/1.4.1 OpenSSL/1.1.1d",
    "w3m/0.5.3+git20230121",
    "Nokia6100/1.0 (04.01) Profile/MIDP-1.0 Configuration/CLDC-1.0",
    f"Mozilla/5.0 (Windows NT 10.0; WOW64) {WEBKIT} Safari/537.36 Edg/126.0.0.0",
    f"Mozilla/5.0 (Windows NT 10.0; WOW64) {WEBKIT} Electron/32.0 Safari/537.36",
    f"{PHONE} {SAFARI} Mobile/15E148 [FBAN/FBIOS;FBAV/485.0.0.40.115;FBDV/iPhone15,2;FBMD/iPhone]",
    f"{PHONE} {SAFARI} Mobile/15E148 Instagram 352.0.0.22.104 (iPhone15,3; iOS 17_5; de_DE; scale=3.00)",
    f"{PHONE} {SAFARI} Mobile/15E148 [LinkedInApp]/9.29.7234",
    f"{PHONE} {SAFARI} Mobile/15E148 [Pinterest/iOS]",
    f"Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) {WEBVIEW} [FB_IAB/FB4A;FBAV/485.0.0.70.77;]",
    f"Mozilla/5.0 (Linux; Android 7.0; M bot 54) {WEBKIT} Mobile Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 13; Spider 8) {WEBKIT} Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 13; CUBOT P60) AppleWebKit/537.36 Chrome/130.0.0.0 Mobile Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 15; RMX3945 Build/AP3A.240617.008; wv) {WEBVIEW}",
    f"Mozilla/5.0 (Linux; Android 10; ZTE A2020; wv) {WEBVIEW} AWP/2.0 SogouMSE,SogouMobileBrowser/6.1",
    "Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/63.0 TV Safari/537.36",
    "Mozilla/5.0 (PlayStation 5/8.00) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.0 Safari/605.1.15",
]
PROGRAMS = {
    "bot_crawler": [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        f"Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X) {WEBKIT} Mobile Safari/537.36 (compatible; Googlebot/2.1)",
        f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} Safari/537.36 (compatible; Google-HotelAdsVerifier/2.0)",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "Mozilla/5.0 (compatible; special_archiver)",
        "ia_archiver",
        "Baiduspider",
        "Nextcloud Server Crawler",
    ],
    "bot_feed": [
        "Tiny Tiny RSS/1.11 (http://tt-rss.org/)",
        "Feedly/1.0 (+http://www.feedly.com/fetcher.html; 12 subscribers)",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_2) AppleWebKit/537.74.9 (KHTML, like Gecko) NetNewsWire/3.3.2",
        "UniversalFeedParser/5.2.1",
        "newsboat/2.35",
    ],
    "bot_health": ["kube-probe/1.29", "ELB-HealthChecker/2.0", "check_http/v2.4 (monitoring-plugins 2.4)", "Zabbix"],
    "bot_preview": ["facebookexternalhit/1.1", "WhatsApp/2.23.20 A", "Slackbot-LinkExpanding 1.0", "SkypeUriPreview"],
    "bot_ai": ["GPTBot/1.2", "Claude-User/1.0", "Perplexity-User/1.0", "meta-externalagent/1.1"],
    "bot_library": [
        *("curl/8.5.0", "fetch libfetch/2.0", "python-requests/2.31", "Go-http-client/1.1", "undici", "aiohttp/3.9"),
        "Apache-HttpClient/4.5",
        "Dalvik/2.1.0 (Linux; U; Android 13)",
        "MyApp/1 CFNetwork/1485 Darwin/23.1.0",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0 Safari/537.36",
    ],
    "bot_unknown": ["Foo/1.2", "<script>alert(1)</script>", "Mozilla/5.0"],
    "no_agent": ["-", "", " ", None],
}


def test_each_kind_of_program_has_an_example():
    assert {*KINDS} <= {*PROGRAMS}


@pytest.mark.parametrize(("agent", "device", "system", "browser"), PEOPLE)
def test_a_browser_tells_device_system_and_name(agent, device, system, browser):
    assert read_user_agents(pd.Series([agent])).iloc[0].tolist() == ["", device, system, browser]


@pytest.mark.parametrize("agent", ALSO_PEOPLE)
def test_what_people_use_is_no_program(agent):
    assert read_user_agents(pd.Series([agent]))["program"].tolist() == [""]


@pytest.mark.parametrize(("kind", "agent"), [(kind, agent) for kind, agents in PROGRAMS.items() for agent in agents])
def test_a_program_is_of_its_kind(kind, agent):
    assert read_user_agents(pd.Series([agent], dtype=object))["program"].tolist() == [kind]


def test_each_row_gets_what_its_agent_tells():
    agents = pd.Series([PEOPLE[0][0], None, PEOPLE[4][0], PEOPLE[0][0] + "x" * 1_000_000 + "curl"], index=list("abcd"))
    told = read_user_agents(agents)
    assert told.index.tolist() == list("abcd")
    assert told["program"].tolist() == ["", "no_agent", "", ""]  # a very long agent is cut before it is looked up
    assert told["device"].fillna("").tolist() == ["desktop", "", "phone", "desktop"]
    assert told.dtypes.astype(str).tolist() == ["str"] * 4


def test_unknown_programs_are_named_by_their_product_alone():
    agents = {
        "Foo/1.2 (anna)": 2,
        "Foo/1.3": 3,
        "Bar-Baz/2": 4,
        "anna.lind@shop.example": 9,
        "Anna Lind": 9,
        "s3cr3t/1": 9,
    }
    assert name_programs(agents) == ["Foo", "Bar-Baz"]
    assert name_programs({}) == []
