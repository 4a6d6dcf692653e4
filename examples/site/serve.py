"""A site on this machine that runs two exported policies as an A/B test, and keeps what its beacons say.

    python examples/site/serve.py FOLDER [PORT]

FOLDER holds images/ and pages/ (exported policies) and the photograph (prepare.py makes all of it); into FOLDER/log go
beacons.jsonl, access.log, and the cards of the beacon. Standard library only.
"""

import hashlib
import json
import re
import secrets
import sys
import threading
from collections import defaultdict
from datetime import UTC, datetime
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from urllib.parse import quote, unquote, urlsplit

HERE = Path(__file__).parent
BEACON = HERE.parent / "beacon"
ARMS = ("control", "treatment")
TODAY, IMAGES = "medium", 12  # what control sends; images a view, as the policy was compared for
DAYS, MOST_BYTES = 30, 20_000
TYPES = {".js": "text/javascript", ".json": "application/json", ".webp": "image/webp"}
SENT = {  # what a beacon may hold; everything else that it brings is dropped
    *("at", "page", "image_arm", "page_arm", "rendition_served", "propensity", "rendition_decided"),
    *("rtt_ms", "downlink_mbps", "lcp_ms", "page_bytes", "os_family", "browser", "device", "save_data", "local_hour"),
    *("effective_type", "netinfo_rtt_ms", "netinfo_downlink_mbps", "connection_type"),
}


def arm_of(visitor: str, test: str) -> str:
    """The same arm for a visitor as long as a test runs, and another draw for another test."""
    return ARMS[hashlib.sha256(f"{test}:{visitor}".encode()).digest()[0] % 2]


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= 200)


class Site(ThreadingHTTPServer):
    """Both exports, and the logs."""

    daemon_threads = True

    def __init__(self, folder: Path, port: int = 0, log: Path | None = None) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.folder, self.log, self.lock = folder, log or folder / "log", threading.Lock()
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.pages = json.loads((folder / "pages" / "policy.json").read_text(encoding="utf-8"))["names"]
        rules = folder / "pages" / "speculation-rules"
        index = rules / "index.json"
        named = json.loads(index.read_text(encoding="utf-8")) if index.exists() else {}
        self.rules = {page: rules / name for page, name in named.items()}
        self.fetched: dict[tuple[str, str], list[str]] = defaultdict(list)  # by visitor and page, until its beacon
        self.template = Template((HERE / "page.html").read_text())
        self.log.mkdir(exist_ok=True)
        for card in BEACON.glob("*.toml"):
            # This machine has no network to speak of: a round trip of .1 ms is what it measures.
            (self.log / card.name).write_text(f"plausible = false\n{card.read_text()}")

    def keep(self, name: str, line: str) -> None:
        """Append one line to a log."""
        with self.lock, (self.log / name).open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def render(self, page: str, visitor: str | None, saves: bool) -> bytes:
        """A page of the site: links to all others, and on the feed the images."""
        arm = arm_of(visitor, "images") if visitor else ARMS[0]
        links = "\n".join(f'<li><a href="{quote(each)}">{each}</a></li>' for each in self.pages)
        given = {"image_arm": arm, "page_arm": arm_of(visitor, "pages") if visitor else ARMS[0]}
        sends = bool(visitor) and not saves
        settings = json.dumps({"given": given, "today": TODAY, "images": IMAGES * (page == "/feed"), "sends": sends})
        return self.template.substitute(page=page, links=links, settings=settings).encode()


class Handler(BaseHTTPRequestHandler):
    """Pages, the files that they need, and the beacon."""

    server: Site
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with a page or a file; only pages know the visitor."""
        path = unquote(urlsplit(self.path).path)
        files = {
            "/rum.js": BEACON / "rum.js",
            **{f"/policy/{name}": self.server.folder / "images" / name for name in ("policy.js", "policy.json")},
            **{f"/images/{name}.webp": self.server.folder / f"{name}.webp" for name in ("small", "medium", "large")},
        }
        if path in self.server.pages:
            return self._page(path)
        if path in files:
            kind, kept = TYPES[files[path].suffix], {"Cache-Control": "max-age=3600"}
            return self._answer(HTTPStatus.OK, files[path].read_bytes(), kind, kept)
        for rules in self.server.rules.values():
            if path == f"/speculation-rules/{rules.name}":
                return self._answer(HTTPStatus.OK, rules.read_bytes(), "application/speculationrules+json")
        if path == "/":
            return self._answer(HTTPStatus.FOUND, headers={"Location": "/feed"})
        return self._answer(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        """Keep a beacon, with the visitor, and what this visitor's browser fetched ahead on the page."""
        length = self.headers.get("Content-Length", "")
        if self.path != "/beacon" or not length.isdigit() or int(length) > MOST_BYTES:
            self.close_connection = True
            return self._answer(HTTPStatus.BAD_REQUEST)
        body, visitor = self.rfile.read(int(length)), self._visitor()
        try:
            row = {name: value for name, value in json.loads(body).items() if name in SENT and _is_plain(value)}
        except (ValueError, AttributeError):
            return self._answer(HTTPStatus.BAD_REQUEST)
        if visitor and row.get("page") in self.server.pages:
            fetched = self.server.fetched.pop((visitor, row["page"]), [])
            row |= {"user_id": visitor, "prefetched": json.dumps(fetched)}
            row |= {f"{name}_arm": arm_of(visitor, f"{name}s") for name in ("image", "page")}
            self.server.keep("beacons.jsonl", json.dumps(row))
        return self._answer(HTTPStatus.NO_CONTENT)

    def _page(self, page: str) -> None:
        headers, visitor = {"Cache-Control": "private, max-age=0"}, self._visitor()
        if visitor is None and not self._private():
            visitor = secrets.token_hex(16)
            headers["Set-Cookie"] = f"visitor={visitor}; Max-Age={DAYS * 86400}; Path=/; HttpOnly; SameSite=Lax"
        if visitor and self._ahead():
            before = unquote(urlsplit(self.headers.get("Referer", "")).path)
            with self.server.lock:
                self.server.fetched[visitor, before].append(page)
        rules = self.server.rules.get(page)
        saves = self.headers.get("Save-Data", "").lower() == "on"
        if rules and visitor and arm_of(visitor, "pages") == "treatment" and not saves:
            headers["Speculation-Rules"] = f'"/speculation-rules/{rules.name}"'
        return self._answer(
            HTTPStatus.OK, self.server.render(page, visitor, saves), "text/html; charset=utf-8", headers
        )

    def _ahead(self) -> bool:
        return self.headers.get("Sec-Purpose", "").startswith("prefetch")

    def _private(self) -> bool:
        return "1" in (self.headers.get("DNT"), self.headers.get("Sec-GPC"))

    def _visitor(self) -> str | None:
        """The visitor's random number from the site's own cookie; none of those who ask not to be tracked."""
        try:
            cookie = SimpleCookie(self.headers.get("Cookie", "")).get("visitor")
        except CookieError:
            return None
        known = cookie and re.fullmatch("[0-9a-f]{32}", cookie.value)
        return cookie.value if cookie and known and not self._private() else None

    def _answer(
        self, status: HTTPStatus, body: bytes = b"", kind: str = "text/plain", headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        headers = {"Content-Type": kind, "Content-Length": str(len(body))} | (headers or {})
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """One line as nginx writes them in its combined format, then what browsers say of requests ahead of a click."""
        at = datetime.now(UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
        names = ("Referer", "User-Agent", "Sec-Purpose", "Sec-Speculation-Tags")
        said = " ".join(json.dumps(self.headers.get(name, "-")) for name in names)
        status = int(code) if isinstance(code, int) else "-"
        self.server.keep("access.log", f"127.0.0.1 - - [{at}] {json.dumps(self.requestline)} {status} {size} {said}")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on the screen."""


if __name__ == "__main__":
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 8033
    try:
        site = Site(Path(sys.argv[1]), port)
    except OSError as err:
        sys.exit(f"The site cannot be served on port {port}: {err}. Name another port: serve.py FOLDER PORT.")
    print(f"{site.address}  (logs: {site.log}; end with Ctrl-C)", flush=True)
    try:
        site.serve_forever()
    except KeyboardInterrupt:
        site.server_close()
