r"""Formats of access logs: what stands where in a line.

A format turns the text of whole lines into a frame of ``FIELDS``, a row per line. Lines of text are read by a regular
expression, made of an nginx ``log_format`` or an Apache ``LogFormat`` string, or of ``ANY``, which takes what formats
of the common family share. Sources: Apache, mod_log_config, "Custom Log Formats"; nginx, ngx_http_log_module and the
list of variables; W3C, "Extended Log File Format"; Amazon, "Access log entries" of Application Load Balancers and
"Standard log file fields" of CloudFront; Caddy, "log" directive; Traefik, "Access logs".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address
from itertools import chain
from typing import Any
from urllib.parse import unquote

import pandas as pd
from pydantic_core import from_json

from workbench.errors import WorkbenchError, did_you_mean

# address: of the client; forwarded: by a proxy; connection: of the server's neighbour; before, between: words around
# the time; request: method, target and protocol; purpose: a header with which a browser says that it fetches ahead;
# took: how long the server took, by unit; more: what follows.
FIELDS = (
    *("address", "forwarded", "host", "time", "request", "method", "target", "query", "status", "size", "agent"),
    *("purpose", "took_s", "took_ms", "took_us", "took_ns", "before", "between", "more", "line", "connection"),
)

INSIDE = r'[^"\\\n]*(?:\\.[^"\\\n]*)*'  # of quotes; a backslash protects what follows
CLF_TIME = r"\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}"
ISO_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?Z| ?[+-]\d\d:?\d\d)?"
CHUNK = 2_000  # lines of JSON that are read at once; where one is broken, each is read alone
HALF_A_DAY = pd.Timedelta(12, "h")
# Any line of the common family: words, time, words, request, status, size, words, referrer, user agent, words.
ANY = (
    rf"^(?P<before>[^\[\n]{{0,300}}(?=\[\d)|[^\n]{{0,300}}?)\[?(?P<time>{CLF_TIME}|{ISO_TIME})\]?(?P<between>[^\"\n]{{0,300}}?)"
    rf'"(?P<request>{INSIDE})" (?:[^ "\n]+ )??(?P<status>\d{{3}}) (?P<size>\d+|-)'
    rf'(?:(?: [^ "\n]+){{0,6}}? "{INSIDE}" (?P<agent>"{INSIDE}"))?(?P<more>(?: [^\n]*)?)\r?$'
)
FAMILY = ("common", "combined", "vhost_combined")
ALB = (
    '$kind $time_iso8601 $elb $remote_addr $answered_by $a $b $c $status $d $e $bytes_sent "$request" '
    '"$http_user_agent"'
)
JSON_NAMES = ("caddy", "traefik", "nginx_json")
KNOWN = (*FAMILY, "alb", "w3c", *JSON_NAMES)
EXAMPLE = '\'$remote_addr [$time_local] "$request" $status "$http_user_agent"\''
JSON_CARD = 'reader = "jsonl", columns = { at = "viewed_at", ip = "address", ua = "user_agent", req = "page" }'

# nginx's variables and Apache's directives, by field; headers are the same in both.
W3C_NEEDS = {"client (c-ip)": {"address", "forwarded"}, "page (cs-uri-stem)": {"target", "request"}}
HEADERS = {
    "user-agent": "agent",
    "host": "host",
    **dict.fromkeys(
        ("x-forwarded-for", "x-real-ip", "cf-connecting-ip", "true-client-ip", "forwarded-for"), "forwarded"
    ),
    **dict.fromkeys(("sec-purpose", "purpose", "x-purpose", "x-moz"), "purpose"),
}
VARIABLES = {
    "remote_addr": "address",
    "proxy_add_x_forwarded_for": "forwarded",
    "request_method": "method",
    "query_string": "query",
    "args": "query",
    "server_name": "host",
    **{name: name for name in ("host", "request", "status")},
    **dict.fromkeys(("time_local", "time_iso8601", "msec"), "time"),
    **dict.fromkeys(("upstream_header_time", "request_time"), "took_s"),
    **dict.fromkeys(("request_uri", "uri", "document_uri"), "target"),
    **dict.fromkeys(("body_bytes_sent", "bytes_sent"), "size"),
    **{f"http_{header.replace('-', '_')}": name for header, name in HEADERS.items()},
}
DIRECTIVES = {"h": "address", "a": "address", "r": "request", "m": "method", "U": "target", "q": "query", "s": "status"}
DIRECTIVES |= {"b": "size", "B": "size", "O": "size", "v": "host", "V": "host", "t": "time"}
DIRECTIVES |= {"T": "took_s", "D": "took_us"}
CLOCKS = {"%T": "%H:%M:%S", "%R": "%H:%M", "%F": "%Y-%m-%d", "%e": "%d", "%h": "%b"}  # which Python's has not
SHAPES = {"status": r"\d{3}", "size": r"\d+|-", "time": rf"{CLF_TIME}|{ISO_TIME}|\d+(?:\.\d+)?"}
SHAPES |= {"user": r"[^\n]{0,200}?", "address": r"\S{0,255}?", "host": r"\S{0,255}?"}  # names of users have spaces
SHAPES_OF_WORDS = {"request": r"\S+ \S+ HTTP/[0-9.]+|-", "agent": r"[^\n]*"}
NGINX = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
APACHE = re.compile(r"%[<>]?!?[\d,]*(?:\{([^}]*)\})?(\^?[A-Za-z]{1,2}|%)")

# Names of fields in JSON and W3C logs, in small letters without marks; the first that a log has counts.
USUAL = {
    "address": "requestclientip requestremoteip clienthost remoteaddr clientip cip remoteip ip clientaddr client",
    "forwarded": "httpxforwardedfor xforwardedfor requestxforwardedfor requestheadersxforwardedfor csxforwardedfor",
    "host": "clientrequesthost requesthost xhostheader cshost httphost host vhost servername",
    "time": "startutc edgestarttimestamp timeiso8601 timelocal timestamp time ts msec datetime date",
    "request": "request requestline",
    "method": "clientrequestmethod requestmethod csmethod method verb",
    "target": "clientrequesturi requesturi requestpath csuristem requesturl uri url path reqpath original",
    "query": "csuriquery querystring args query",
    "status": "edgeresponsestatus downstreamstatus scstatus status statuscode responsestatus code",
    "size": "edgeresponsebytes downstreamcontentsize bodybytessent bytessent scbytes size bytes",
    "agent": "clientrequestuseragent httpuseragent requestheadersuseragent requestuseragent csuseragent useragent "
    "useragentoriginal agent ua",
    "took_s": "upstreamheadertime timetofirstbyte requesttime timetaken duration",
    "purpose": "httpsecpurpose requestheaderssecpurpose requestsecpurpose cssecpurpose secpurpose httppurpose purpose",
}


@dataclass(frozen=True)
class LogFormat:
    """A format's name, and the function from the text of whole lines to a frame of ``FIELDS`` (object)."""

    name: str
    read: Callable[[str], pd.DataFrame]
    strftime: str = ""  # of times that are neither Apache's usual ones nor ISO 8601 nor numbers


def find_format(text: str, first: str) -> LogFormat:
    """The format of a card's ``format``: a name of ``KNOWN``, a format string, or "": what the log's first lines show.

    Raises a WorkbenchError if it is no name and no string, or a string without address, time or request.
    """
    if text in JSON_NAMES or (not text and first.lstrip().startswith("{")):
        return LogFormat(text or "JSON lines", _read_json)
    if text == "w3c" or (not text and re.search("(?m)^#Fields:", first)):
        return LogFormat("w3c", _W3c())
    if text == "alb" or (not text and re.match(rf"\s*(?:https?|h2|wss?|grpcs?) {ISO_TIME}", first)):
        return LogFormat("alb", _by_expression(_compiled(ALB)[0]))
    if not text or text in FAMILY:
        return LogFormat(text or "common or combined", _by_expression(ANY))
    expression, strftime = _compiled(text)
    if "(?P<address>" not in expression:
        expression = expression.replace("(?P<connection>", "(?P<address>", 1)
    fields = {*re.findall(r"\(\?P<(\w+)>", expression)}
    if fields == {"more"}:
        raise WorkbenchError(
            f"format must be one of {', '.join(KNOWN)}, or an nginx log_format or Apache LogFormat string such as "
            f"{EXAMPLE}; got {text!r}.{did_you_mean(text, KNOWN)}"
        )
    wanted = {
        "the client's address ($remote_addr, %h)": {"address", "forwarded"},
        "the time ($time_local, %t)": {"time"},
        "the request ($request, %r)": {"request", "target"},
    }
    lacks = [words for words, names in wanted.items() if not names & fields]
    if lacks:
        raise WorkbenchError(f"format: expected a string that names {' and '.join(lacks)}; got {text!r}.")
    try:
        pd.to_datetime([""], format=strftime or None, errors="coerce")
    except ValueError:
        raise WorkbenchError(
            "format: expected a time as Python's strptime knows it, such as %{%d/%b/%Y:%H:%M:%S %z}t; got "
            f"{strftime!r}."
        ) from None
    return LogFormat("your format", _by_expression(expression), strftime)


def _by_expression(expression: str) -> Callable[[str], pd.DataFrame]:
    """A reader by a regular expression of one line; the text of lines that do not match stands in ``line``."""
    pattern = re.compile(rf"{expression}|^(?P<line>[^\n]*\S[^\n]*)()$", re.MULTILINE)  # of one group, no tuples come
    names = list(pattern.groupindex)

    def read(text: str) -> pd.DataFrame:
        found = pattern.findall(text)
        columns = zip(*found, strict=True) if found else [[] for _ in names]
        return pd.DataFrame(dict(zip(names, map(list, columns), strict=False)), columns=names, dtype=object)

    return read


def _compiled(text: str) -> tuple[str, str]:
    """Regular expression of a format string, and the strftime form of its time, if it has its own."""
    text = re.sub(r"^\s*(?:log_format|LogFormat)\s+", "", text.strip())
    if re.match(r"(?:\w+\s+)?(?:escape=\w+\s+)?'", text):
        text = "".join(re.findall(r"'([^']*)'", text))  # nginx: a name, then pieces in quotes
    elif quoted := re.match(r'"((?:[^"\\]|\\.)*)"(?:\s+\w+)?$', text):
        text = quoted[1]  # Apache: in quotes, then a name
    text = text.replace('\\"', '"').replace("\\t", "\t")
    variable, read = (NGINX, _nginx_field) if NGINX.search(text) else (APACHE, _apache_field)
    expression, strftime, seen, position = "^", "", {""}, 0
    for match in variable.finditer(text):
        field, form = read(match)
        strftime = strftime or form
        expression += _literal(text[position : match.start()])
        position = match.end()
        shape = _shape(field, form, text[match.start() - 1 : match.start()], text[position : position + 1])
        if match[0] == "%t":
            shape, expression = CLF_TIME, expression + r"\["
        expression += f"(?:{shape})" if field in seen or field not in FIELDS else f"(?P<{field}>{shape})"
        expression += r"\]" if match[0] == "%t" else ""
        seen.add(field)
    return rf"{expression}{_literal(text[position:])}(?P<more>(?:[ \t][^\n]*)?)\r?$", strftime


def _literal(text: str) -> str:
    return re.sub(r"(?:\\ )+", " +", re.escape(text))


def _shape(field: str, form: str, before: str, after: str) -> str:
    """Expression of a field by what stands around it: none may match a line in more ways than its length allows."""
    if before == after == '"':
        return INSIDE
    if form or field in SHAPES:
        return SHAPES["user" if form else field]
    if after in ("", " "):
        return SHAPES_OF_WORDS.get(field, r"(?>(?:[^\s,]+, )*)\S*")  # a list, or a word
    return r"[^\s?]*" if after in "$%" else rf"[^\n{re.escape(after)}]*"


def _nginx_field(match: re.Match[str]) -> tuple[str, str]:
    name = match[1] or match[2]
    return ("user" if name == "remote_user" else VARIABLES.get(name, "")), ""


def _apache_field(match: re.Match[str]) -> tuple[str, str]:
    argument, letter = match[1] or "", match[2]
    if letter == "i":
        return HEADERS.get(argument.lower(), ""), ""
    if letter == "t" and argument:
        form = re.sub(r"^(?:begin|end):", "", argument)
        form = re.sub(r"%[TRFeh]", lambda match: CLOCKS[match[0]], form)
        return "" if form.endswith("_frac") else "time", "" if form in ("sec", "msec", "usec", "%s") else form
    if letter == "T" and argument:
        return f"took_{argument}", ""
    if letter == "a" and argument:
        return "connection", ""  # {c}a: the server's neighbour, which may be a proxy
    return ("user" if letter == "u" else DIRECTIVES.get(letter, "")), ""


def _read_json(text: str) -> pd.DataFrame:
    """Fields of JSON lines, found by their usual names; a line without address or time stands in ``line``."""
    lines = [line for line in text.split("\n") if line.strip()]
    parts = [_read_objects(lines[at : at + CHUNK]) for at in range(0, len(lines), CHUNK)]
    found = _whole_in(pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(), "took_ns")
    if "agent" in found:
        found["agent"] = found["agent"].fillna("-")
    known = found.reindex(columns=["address", "time"]).notna().all(axis=1)
    return found.assign(line=pd.Series(lines, dtype=object).where(~known, None))


def _read_objects(lines: list[str]) -> pd.DataFrame:
    """Fields (object) of a few JSON lines; empty where a line holds no object."""
    places = _places([value if isinstance(value, dict) else {} for value in _values(lines)])
    fields = {field: _texts(*places[name]) for field, name in _usual(places).items()}
    return pd.DataFrame(fields, range(len(lines)), dtype=object)


def _values(lines: list[str]) -> list[Any]:
    """The value of each line, read all at once; where some line holds none, by halves, and None for that line."""
    try:
        values = from_json(f"[{','.join(lines)}]", cache_strings="keys")
    except ValueError:
        values = []
    if len(values) == len(lines):
        return values
    half = len(lines) // 2
    return [*_values(lines[:half]), *_values(lines[half:])] if half else [_with_half_a_pair(lines[0])]


def _with_half_a_pair(line: str) -> Any:
    """The value of a line that has half of a surrogate pair, which is no text: marks stand for it. None of others."""
    try:
        text = json.dumps(json.loads(line), ensure_ascii=False) if r"\ud" in line.lower() else ""
        return json.loads(text.encode(errors="surrogatepass").decode(errors="replace"))
    except (ValueError, RecursionError):
        return None


def _places(objects: list[dict[str, Any]], depth: int = 6) -> dict[str, tuple[list[dict[str, Any]], str]]:
    """Where each value stands: objects, one a line, and its name there. Objects within put a dot into the name."""
    places: dict[str, tuple[list[dict[str, Any]], str]] = {}
    for name in dict.fromkeys(chain.from_iterable(dict.fromkeys(map(tuple, objects)))):
        first = next((cell for each in objects if (cell := each.get(name)) is not None), None)
        if isinstance(first, dict) and depth:
            inner = [cell if isinstance(cell := each.get(name), dict) else {} for each in objects]
            places |= {f"{name}.{deep}": place for deep, place in _places(inner, depth - 1).items()}
        else:
            places[name] = objects, name
    return places


def _texts(objects: list[dict[str, Any]], name: str) -> list[str | None]:
    """The values of a name: texts as they are, lists with commas, missing None."""
    cells = [each.get(name) for each in objects]
    return [cell if isinstance(cell, str) else _text(cell) for cell in cells]


def _text(cell: Any) -> str | None:
    return None if cell is None else ", ".join(map(str, cell)) if isinstance(cell, list) else str(cell)


def _usual(names: Iterable[str]) -> dict[str, str]:
    """Field to the name under which a log has it: of the whole name, or of what stands behind its last dot."""
    ranked = [*names][::-1]
    plain = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in ranked}
    known = {re.sub(r"[^a-z0-9]", "", name.lower().split(".")[-1]): name for name in ranked} | plain
    found = {field: [known[name] for name in usual.split() if name in known] for field, usual in USUAL.items()}
    return {field: names[0] for field, names in found.items() if names}


class _W3c:
    """Reader of the W3C extended format: ``#Fields:`` names the columns, separated by tabs or spaces; ``#Date:`` is the
    day of lines without one, until their clock goes back past midnight. Blocks after the first go on with these.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.day, self.clock = "", ""  # of the last line

    def __call__(self, text: str) -> pd.DataFrame:
        first, *rest = re.split(r"(?m)^#(Fields|Date):[ \t]*(.*)$\n?", text)
        parts = []
        for name, value, rows in [("", "", first), *zip(rest[::3], rest[1::3], rest[2::3], strict=True)]:
            if name == "Fields":
                self.names = value.split()
            elif name == "Date":
                self.day, self.clock = value[:10], value[11:19]
            if lines := re.sub(r"(?m)^#.*\n?", "", rows).strip("\n"):
                parts.append(self._read(lines))
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["line"], dtype=object)

    def _read(self, lines: str) -> pd.DataFrame:
        mark = "\t" if "\t" in lines.partition("\n")[0] else " "
        usual = _usual(name for name in self.names if name not in ("date", "time"))
        lacks = [words for words, fields in W3C_NEEDS.items() if not fields & {*usual}]
        if lacks and self.names:
            raise WorkbenchError(
                f"This W3C log names no {' and no '.join(lacks)}; found the fields {', '.join(self.names)}. Let the "
                "server log them."
            )
        fields = {name: field for field, name in usual.items()} | {"date": "date", "time": "clock"}
        cells = [f"(?P<{fields.pop(name)}>" if name in fields else "(?:" for name in self.names]
        found = _by_expression(f"^{mark.join(f'{cell}[^{mark}\\r\\n]+)' for cell in cells)}\\r?$")(lines)
        found = found.where(found.ne("-") & found.ne(""), None)
        if "agent" in found:
            found["agent"] = by_distinct(found["agent"].fillna("-"), spaced)
        found = _whole_in(found, "took_ms")
        if "clock" not in found or ("date" not in found and "time" in found):
            return found
        days = found["date"] if "date" in found else self._days(found["clock"])
        return found.assign(time=days + "T" + found["clock"] + "Z")

    def _days(self, clocks: pd.Series) -> pd.Series:
        """The day of each line (object): that of ``#Date:``, or a later one where the clock went back by half a day."""
        if not self.day:
            raise WorkbenchError(
                "This W3C log names no day: expected a field date, or a line #Date: above; found the fields "
                f"{', '.join(self.names)}. Let the server log the field date."
            )
        told = pd.concat([pd.Series([self.clock], dtype=object), clocks])
        times = pd.to_timedelta(told.replace("", None), errors="coerce").ffill()
        passed = times.diff().lt(-HALF_A_DAY).cumsum()
        days = by_distinct(passed, lambda nights: str((pd.Timestamp(self.day) + pd.Timedelta(nights, "D")).date()))
        self.day, self.clock = days.iloc[-1], str(clocks.dropna().iloc[-1]) if clocks.notna().any() else self.clock
        return days.iloc[1:]


def _whole_in(fields: pd.DataFrame, unit: str) -> pd.DataFrame:
    """Whole numbers are no seconds, which have decimals: IIS writes milliseconds, Traefik nanoseconds."""
    if "took_s" in fields and not fields["took_s"].astype("str").str.contains(".", regex=False).any():
        return fields.rename(columns={"took_s": unit})
    return fields


def spaced(agent: str) -> str:
    """CloudFront encodes the spaces of a user agent as %20, once or twice; IIS writes "+"."""
    return unquote(unquote(agent)) if "%" in agent else agent if " " in agent else agent.replace("+", " ")


def by_distinct(cells: pd.Series, change: Callable[[str], Any]) -> pd.Series:
    """What becomes of each text (object, same index); each distinct one is changed once, missing stays missing."""
    return columns_by_distinct(cells, lambda text: (change(text),), ["changed"])["changed"]


def columns_by_distinct(cells: pd.Series, read: Callable[[str], tuple[Any, ...]], columns: list[str]) -> pd.DataFrame:
    """Columns read from each text, as :func:`by_distinct`."""
    codes, distinct = pd.factorize(cells)
    table = pd.DataFrame([*map(read, distinct), (None,) * len(columns)], columns=columns, dtype=object)
    return table.take(codes).set_axis(cells.index)


# What stands before the time: an address or a list of them, perhaps after a virtual host, or before one (for identd).
V4 = r"(?:::ffff:)?\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?"
V6 = r"\[?(?=\S*::|(?:[^:]*:){7})[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:%\w+)?\]?(?::\d{1,5})?"
ADDRESSES = re.compile(rf"(?:(?:unknown|-),)*(?:{V4}|{V6})(?:,\S*)?$")
# RFC 1918, 4193, 4291 and 6598: nobody's address on the public network.
PRIVATE = re.compile(
    r"(?:10|127|192\.168|172\.(?:1[6-9]|2\d|3[01])|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\.|::1$|f[cd]..:|fe[89ab].:"
)
SITE = re.compile(r"(?!\S*@)(?=\S*[A-Za-z])\S*\.\S*\w$|localhost$")


def read_clients(words: pd.Series) -> pd.DataFrame:
    """``address`` (or a list of them), ``host`` and ``second``, an address right behind the first (object), from the
    words before the time; None where not there.

    >>> read_clients(pd.Series(["shop.example:443 203.0.113.9 - -", "10.0.0.1 203.0.113.9 - -"])).to_numpy().tolist()
    [['203.0.113.9', 'shop.example:443', None], ['10.0.0.1', None, '203.0.113.9']]
    """
    return columns_by_distinct(words, _client, ["address", "host", "second"])


@lru_cache(maxsize=100_000)  # a log comes in blocks, with the same clients in each
def _client(words: str) -> tuple[str | None, str | None, str | None]:
    tokens = re.sub(r", *", ",", words.replace('"', "")).split()
    place = next((place for place, token in enumerate(tokens) if ADDRESSES.match(token)), None)
    if place is None and tokens:  # no address, but perhaps a name that the server looked up
        place = int(len(tokens) > 3 and tokens[1] != "-" and tokens[2] == "-")
        place = place if SITE.match(tokens[place]) or tokens[place + 1 : place + 2] == ["-"] else None
    if place is None:
        return None, None, None
    behind = tokens[place + 1 : place + 2]
    ident = [token for token in behind if SITE.match(token)]
    host = tokens[0] if place == 1 and tokens[0] != "-" else ident[0] if ident and not place else None
    return tokens[place], host, next((token for token in behind if ADDRESSES.match(token)), None)


def plain_addresses(addresses: pd.Series) -> pd.Series:
    """The first public address of each list, else the first, without port, brackets and zone, in one spelling; IPv4
    written as IPv6 is IPv4.

    >>> plain_addresses(pd.Series(["198.51.100.7:41000", "[2001:db8::1]:443", "203.0.113.9, 10.0.0.1"])).tolist()
    ['198.51.100.7', '2001:db8::1', '203.0.113.9']
    """
    return by_distinct(addresses, plain_address)


@lru_cache(maxsize=100_000)
def plain_address(listed: str) -> str | None:
    """One list, as :func:`plain_addresses`."""
    found = []
    for word in listed.strip(' "').removeprefix('["').removesuffix('"]').split(","):
        address = word.strip(' "')
        if bracketed := re.match(r"\[([^\]]*)\]", address):
            address = bracketed[1]
        elif address.count(":") == 1:
            address = address.partition(":")[0]
        elif address.count(":") == 8 and "::" not in address:  # eight groups, and a port
            address = address.rpartition(":")[0]
        if address not in ("", "-", "unknown"):
            found.append(_one_spelling(address.partition("%")[0].lower().removeprefix("::ffff:")))
    return next((address for address in found if not PRIVATE.match(address)), found[0] if found else None)


def _one_spelling(address: str) -> str:
    """An IPv6 address as RFC 5952 writes it; all else as it is."""
    try:
        return str(IPv6Address(address)).removeprefix("::ffff:")
    except ValueError:
        return address
