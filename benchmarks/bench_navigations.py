"""Do navigations load in time? A made access log of a million lines, and all of msnbc: each under 60 s and 4 GB."""

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import workbench as wb

LINES, MOST_S, MOST_GB = 1_000_000, 60.0, 4.0
BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_{} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; Pixel {}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126 Mobile Safari/537.36",
    "Mozilla/5.0 (compatible; Googlebot/2.{}; +http://www.google.com/bot.html)",
)


def write_log(path: Path, lines: int, seed: int = 0) -> None:
    """Write a combined log: 60,000 visitors, hundreds of user agents, files beside pages, bots, all kinds of status."""
    rng = np.random.default_rng(seed)
    who, page = rng.integers(0, 60_000, lines), rng.zipf(1.3, lines) % 2_000
    method = rng.choice(["GET", "POST"], lines, p=[0.95, 0.05])
    target = np.where(rng.random(lines) < 0.4, "/static/{}.css", "/page/{}?from=mail")
    status = rng.choice([200, 304, 301, 404], lines, p=[0.85, 0.07, 0.04, 0.04])
    moment = pd.Timestamp("2026-01-31T00:00Z") + pd.to_timedelta(np.arange(lines) // 3, unit="s")
    clock = moment.strftime("%d/%b/%Y:%H:%M:%S +0000")
    with path.open("w", encoding="utf-8") as file:
        for i, at in enumerate(clock):
            agent = BROWSERS[who[i] % len(BROWSERS)].format(who[i] % 400)
            address = f"10.{who[i] >> 16}.{(who[i] >> 8) & 255}.{who[i] & 255}"
            request = f"{method[i]} {target[i].format(page[i])} HTTP/1.1"
            file.write(f'{address} - - [{at}] "{request}" {status[i]} {page[i] * 13} "-" "{agent}"\n')


def timed(name: str, path: Path | str) -> bool:
    """Load once, print time and the memory that the process has needed so far, and tell whether both are in bounds."""
    begin = time.perf_counter()
    views = wb.load(path)
    seconds = time.perf_counter() - begin
    # Linux counts kilobytes, macOS bytes.
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)
    print(
        f"{name}: {len(views):,} views in {seconds:.1f} s, at most {peak_gb:.2f} GB; dropped {views.attrs['dropped']}"
    )
    return seconds < MOST_S and peak_gb < MOST_GB


def main() -> int:
    """Time both."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "access.log"
        write_log(log, LINES)
        in_time = timed(f"{LINES:,} lines of an access log", log)
    return 0 if timed("msnbc", "msnbc") and in_time else 1


if __name__ == "__main__":
    sys.exit(main())
