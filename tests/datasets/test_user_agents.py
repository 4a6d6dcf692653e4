import pandas as pd
import pytest

from workbench.datasets.access_logs import read_user_agents

SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5"
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0"
PEOPLE = [
    (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36", "desktop", "Windows", "Chrome"),
    (f"Mozilla/5.0 (Windows NT 10.0) {CHROME} Safari/537.36 Edg/126.0.0.0", "desktop", "Windows", "Edge"),
    (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {SAFARI} Safari/605.1.15", "desktop", "Mac OS X", "Safari"),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "desktop", "Linux", "Firefox"),
    (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {CHROME} Safari/537.36", "desktop", "Chrome OS", "Chrome"),
    (
        f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) {SAFARI} Mobile/15E148 Safari/604.1",
        "phone",
        "iOS",
        "Mobile Safari",
    ),
    (
        f"Mozilla/5.0 (iPad; CPU OS 16_1 like Mac OS X) {SAFARI} Mobile/15E148 Safari/604.1",
        "tablet",
        "iOS",
        "Mobile Safari",
    ),
    (f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {CHROME} Mobile Safari/537.36", "phone", "Android", "Chrome Mobile"),
    (f"Mozilla/5.0 (Linux; Android 13; SM-X700) {CHROME} Safari/537.36", "tablet", "Android", "Chrome"),
    (f"Mozilla/5.0 (Linux; Android 9; CUBOT X19) {CHROME} Mobile Safari/537.36", "phone", "Android", "Chrome Mobile"),
    ("<script>alert(1)</script>", None, None, None),
]
BOTS = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "facebookexternalhit/1.1",
    "curl/8.5.0",
    "Wget/1.21",
    "python-requests/2.31",
    "Go-http-client/1.1",
    "Apache-HttpClient/4.5",
    "ia_archiver",
    "UptimeRobot/2.0",
    f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/120 {CHROME}",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Chrome-Lighthouse",
    "GPTBot/1.2",
    "-",
    "",
    None,
]


@pytest.mark.parametrize(("agent", "device", "system", "browser"), PEOPLE)
def test_a_browser_tells_device_system_and_name(agent, device, system, browser):
    told = read_user_agents(pd.Series([agent])).iloc[0]
    assert not told["bot"]
    assert told.astype(object).where(told.notna(), None).tolist()[1:] == [device, system, browser]


@pytest.mark.parametrize("agent", BOTS)
def test_programs_and_those_who_hide_are_bots(agent):
    assert read_user_agents(pd.Series([agent], dtype=object))["bot"].tolist() == [True]


def test_each_row_gets_what_its_agent_tells():
    agents = pd.Series([PEOPLE[0][0], None, PEOPLE[5][0], PEOPLE[0][0]], index=list("abcd"), dtype="str")
    told = read_user_agents(agents)
    assert told.index.tolist() == list("abcd")
    assert told["device"].fillna("").tolist() == ["desktop", "", "phone", "desktop"]
    assert told.dtypes.astype(str).tolist() == ["bool", "str", "str", "str"]


def test_a_very_long_agent_is_cut_before_it_is_looked_up():
    told = read_user_agents(pd.Series(["x" * 1_000_000 + "curl"]))
    assert told["bot"].tolist() == [False]
