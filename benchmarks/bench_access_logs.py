"""Is an access log read in time? A million combined lines, 50,000 visitors, 3,000 user agents: within 30 s and 1 GB.

The alternative is what one writes in an afternoon: a loop over lines with `re`, `datetime.strptime`, and a look at each
distinct user agent with ua-parser and crawler-user-agents. Both run in processes of their own, one after the other.
"""

import re
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

LINES, VISITORS, AGENTS = 1_000_000, 50_000, 3_000
MOST_S, MOST_GB = 30.0, 1.0
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0"
KINDS = (
    *(f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Safari/537.36",) * 4,
    *(f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {WEBKIT} Mobile Safari/537.36",) * 4,
    "Mozilla/5.0 (X11; Linux x86_64; rv:{0}.0) Gecko/20100101 Firefox/{0}.0",
    "Mozilla/5.0 (compatible; Googlebot/{}.1; +http://www.google.com/bot.html)",
)
LINE = re.compile(r'(\S+) \S+ \S+ \[([^\]]+)\] "(\S+) (\S+) [^"]*" (\d+) (\d+|-) "[^"]*" "([^"]*)"')


def write_log(path: Path, seed: int = 0) -> None:
    """Write a combined log: three lines a second, files beside pages, all kinds of status."""
    rng = np.random.default_rng(seed)
    who, page = rng.integers(0, VISITORS, LINES), rng.zipf(1.3, LINES) % 5_000
    target = np.where(rng.random(LINES) < 0.4, "/static/{}.css", "/page/{}?from=mail")
    status = rng.choice([200, 304, 301, 404], LINES, p=[0.85, 0.07, 0.04, 0.04])
    moment = pd.Timestamp("2026-01-31T00:00Z") + pd.to_timedelta(np.arange(LINES) // 3, unit="s")
    clock = moment.strftime("%d/%b/%Y:%H:%M:%S +0000")
    agents = [KINDS[number % len(KINDS)].format(number) for number in range(AGENTS)]
    with path.open("w", encoding="utf-8") as file:
        for i, at in enumerate(clock):
            address = f"203.{who[i] >> 16}.{(who[i] >> 8) & 255}.{who[i] & 255}"
            request = f"GET {target[i].format(page[i])} HTTP/1.1"
            file.write(f'{address} - - [{at}] "{request}" {status[i]} {page[i]} "-" "{agents[who[i] % AGENTS]}"\n')


def by_the_workbench(path: Path) -> int:
    """Page views that the workbench keeps."""
    from workbench.datasets.access_logs import read_access_log

    return len(read_access_log(path))


def by_a_loop(path: Path) -> int:
    """Page views that a loop over lines keeps."""
    from crawleruseragents import is_crawler
    from ua_parser import parse

    views = []
    known = cache(lambda agent: (is_crawler(agent), parse(agent)))
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if not (match := LINE.match(line)):
                continue
            address, at, method, target, status, size, agent = match.groups()
            crawler, parsed = known(agent)
            page = target.partition("?")[0]
            if method == "GET" and status in ("200", "304") and not page.endswith((".css", ".js")) and not crawler:
                views.append((address, datetime.strptime(at, "%d/%b/%Y:%H:%M:%S %z"), page, size, parsed))
    frame = pd.DataFrame(views, columns=["address", "viewed_at", "page", "page_bytes", "agent"])
    return len(frame.assign(viewed_at=pd.to_datetime(frame["viewed_at"], utc=True)))


def timed(name: str, path: Path) -> tuple[float, float, int]:
    """Seconds, gigabytes and page views of one reader in a process of its own."""
    done = subprocess.run([sys.executable, __file__, name, str(path)], check=True, capture_output=True, text=True)
    seconds, peak, views = done.stdout.split()
    return float(seconds), float(peak), int(views)


def main() -> int:
    """Time both, and compare what they keep."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "access.log"
        write_log(path)
        ours, loop = (timed(name, path) for name in ("by_the_workbench", "by_a_loop"))
    for name, (seconds, peak, views) in {"workbench": ours, "loop with re": loop}.items():
        print(f"{name}: {LINES:,} lines in {seconds:.1f} s, {peak:.2f} GB, {views:,} page views")
    print(f"the workbench takes {ours[0] / loop[0]:.2f} of the loop's time and {ours[1] / loop[1]:.2f} of its memory")
    return 0 if ours[0] < MOST_S and ours[1] < MOST_GB and ours[2] == loop[2] else 1


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(main())
    begin = time.perf_counter()
    kept = {"by_the_workbench": by_the_workbench, "by_a_loop": by_a_loop}[sys.argv[1]](Path(sys.argv[2]))
    # Linux counts kilobytes, macOS bytes.
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)
    print(time.perf_counter() - begin, peak_gb, kept)
