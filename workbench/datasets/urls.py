"""Addresses of pages: which of them are one page, and which are no page at all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable
from dataclasses import replace
from urllib.parse import quote

import numpy as np
import pandas as pd
from yarl import URL

from workbench.datasets.account import warn
from workbench.datasets.cards import LINK_COLUMNS, Card, Pages
from workbench.datasets.log_formats import by_distinct
from workbench.errors import WorkbenchError

ADDRESS = r"(?i)/|https?://"
# An address without its scheme, where most rows have one; a word with a dot may be a name.
BARE = r"(?i)(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,9}[^\W\d_]{2,24}(?::\d{1,5})?[/?#]"
# Scheme and host, path, query, fragment: RFC 3986, appendix B, for these addresses alone.
PARTS = r"(?is)^(?:https?://(?P<host>[^/?#]*))?(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?$"
HOST = r"(?![-_]$)[\w.-]+|[\da-f:.]+"  # a name, or an address; servers log "-" or "_" where there is none
USUAL_PORTS = (None, 80, 443)
# ";jsessionid=..." and other parameters of a part of the path (RFC 3986, 3.3), and ASP.NET's "(S(...))".
PATH_PARAMETERS = re.compile(r"(?i);[\w.-]+=[^/]*|(?<=/)\([a-z]\([^/]*\)\)/?")
MAIL = re.compile(r"[^/=@\s]{1,64}(?:@|%(?:25){0,3}40)[^/=@\s]{1,255}\.[^\W\d_]{2,}")  # also where encoded twice
PHONE = re.compile(r"(?i)(?<=/)(?:tel:)?\+\d[\d ().-]{6,20}(?=/|$)")
# Parts of a path that may be a key to something, such as a JSON Web Token (RFC 7519, which begins with "eyJ"): of so
# many characters, every fourth a change between capital, small letter and digit, which words have not; a hash is none.
LONG, CHANGES, HASH = re.compile(r"(?<=/)[^/]{32,}"), 0.25, r"(?i)[\da-f-]+"
CHANGE = r"(?<=[a-z])[A-Z]|(?<=[A-Za-z])\d|(?<=\d)[A-Za-z]"
INDEX = re.compile(r"(?i)(?<=/)(?:index|default)\.(?:[sx]?html?|php\d?|aspx?|jspx?|cfm|cgi|pl)/?$")
ROUTE = r"!?/"  # a fragment that an application takes for a page; others are places on one
# Parts of a path that name one thing of many: a number, a UUID, a hash (8 hexadecimal digits or more), a token (16
# characters or more, letters and digits mixed). An ending such as .html may follow.
IDS = re.compile(
    r"(?i)(?<=/)(?:\d+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=[a-f]*\d)[0-9a-f]{8,}"
    r"|(?=[\w-]{0,99}?(?=[a-z0-9]{12})[a-z0-9]{0,99}?(?:\d[a-z]+\d|[a-z]\d+[a-z]))[\w-]{16,})(?=$|/|\.[a-z]{2,5}$)"
)
# Parameters that say where a visit came from, or whose it is: never part of a page. The names are in the manuals of the
# programs that add them (Google, Meta, Microsoft, Matomo, Adobe, HubSpot, Mailchimp, Marketo, Yandex, TikTok, X,
# LinkedIn, Pinterest, Reddit, Taboola, Outbrain, Klaviyo, Olytics, Vero, Drip; sessions of PHP, Java, ASP, ColdFusion).
TRACKING = re.compile(
    r"(?i)(?:utm|mtm|matomo|piwik|hsa|itm|vero|oly|fb_action)_.*|(?:pk|at|fb|ga)_(?:source|medium|campaign|term|content"
    r"|name|cid|kwd|keyword|ref|place)|gclid|gclsrc|gad_\w+|gbraid|wbraid|dclid|srsltid|_ga|_gl|fbclid|igshid|igsh|msclkid"
    r"|yclid|ysclid|_openstat|ttclid|twclid|li_fat_id|epik|sccid|scid|rdt_cid|tblci|dicbo|s_kwcid|ef_id|mc_[ce]id|mkt_tok"
    r"|_?_hs[a-z]+|hsctatracking|_kx|__s|wickedid|phpsessid|jsessionid|aspsessionid\w*|cfid|cftoken|sessionid"
)
# Of parameters: other names may be values.
SHOWN_NAME = r"[A-Za-z_][A-Za-z_.\[\]-]{0,23}\d{0,2}"
# Of parameters that may hold a secret: these are not proposed.
SECRET = (
    r"(?i).*(?:token|session|auth(?!or)|secret|passw|signature|jwt|credential).*|(?:.*[_-])?(?:s|sess?)id"
    r"|(?:api|access|.*[_-])?key|(?:.*[_-])?(?:sig|sess|pwd|pass|otp|pin|nonce|hash)"
)
# Endings of files that nobody opens as a page of the site: what pages are made of, fonts, pictures, sound and film,
# archives, installers, documents and signatures.
ENDINGS = (
    "js|mjs|cjs|map|wasm|css|less|scss|json|jsonl|xml|txt|csv|tsv|yaml|yml|webmanifest|manifest|appcache"
    "|woff|woff2|ttf|otf|eot"
    "|png|apng|jpg|jpeg|jpe|jfif|gif|webp|avif|heic|heif|jxl|svg|svgz|bmp|tif|tiff|ico|cur|psd|raw"
    "|mp3|m4a|aac|ogg|oga|opus|wav|flac|wma|mid|midi|mp4|m4v|webm|ogv|mov|avi|mkv|wmv|flv|swf|mpg|mpeg|3gp|m3u|m3u8|mpd"
    "|ts|m4s|vtt|srt"
    "|zip|gz|tgz|bz2|tbz|xz|txz|zst|7z|rar|tar|lz|lzma|jar|war|iso|img|torrent"
    "|exe|msi|msix|msu|dmg|pkg|deb|rpm|apk|aab|ipa|appimage|snap|flatpak|bin|run|xpi|crx|cab"
    "|pdf|doc|docx|docm|xls|xlsx|xlsm|ppt|pptx|odt|ods|odp|rtf|epub|mobi|azw3|djvu|ps|eps|ics|vcf|kml|gpx"
    "|asc|sig|sha1|sha256|md5"
)
# A wiki's article is a page whatever its name ends with, as in /wiki/File:Bird.jpg.
STATIC = rf"(?i)^/(?!wiki/)(?:.*/)?[^/:]*\.(?:{ENDINGS})$|^/(?:\.well-known|cdn-cgi|_next/image)(?:/|$)"
OTHER_FEED = r"(?i)/(?:rss2?|atom|rdf)$|\.(?:rss|atom|rdf)$|/(?:feeds?|rss2?|atom|index)\.xml$"
FEED = rf"{OTHER_FEED}|/feeds?$"
FEED_QUERY = (
    r"(?i)(?:^|[&;])(?:flav|flavou?r|feed|format|type|output|alt|mode|tempskin)=_?(?:rss|atom|rdf|feed)\d*(?:[&;]|$)"
)
# A path that may be a page of a network of people as well; the parts before it are shown, so they must be plain words.
FEED_OR_PAGE = r"(?i)((?:/[a-z-]{1,24})?/feeds?)$"
# What the scripts of a page ask for, not a person; frameworks and programs have these paths by custom.
SCRIPTED = (
    r"(?i)^/(?:[^/]+/)?(?:api|graphql|ajax|wp-json|socket\.io|oauth2?|_next/data|actuator|trpc|livewire|signalr|_blazor"
    r"|sockjs(?:-node)?)(?:/|$)|/(?:admin-ajax|wp-cron|xmlrpc|matomo|piwik)\.php$|^/\.(?!well-known)|/negotiate$|\.data$"
    r"|^/(?:(?:[gjr]/)?collect|ws|metrics|(?:server|nginx|stub)[-_]status|server-info|health-?check|(?:health|live|ready)z)$"
)
SCRIPTED_QUERY = r"(?:^|[&;])(?:_rsc|_data)="  # of Next.js and Remix: the data of a page, often ahead of a click
# Our thresholds, as shares of the views: those whose page a parameter that was cut may have named; and those that hold
# a parameter whose name may be shown.
MERGED, COMMON, SHOWN = 0.1, 0.01, 5
OF_REQUESTS = "of_requests"  # in attrs: whether rows are requests of any program, as far as is known
FEED_SHARE = 0.05  # of the rows, for one path


def normal_pages(
    frame: pd.DataFrame, card: Card, links: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, pd.DataFrame | None, Counter[str]]:
    """Give addresses in ``page`` the name of their page, and leave out rows that are no pages.

    An address begins with "/" or with http:// or https://, or, in most rows, with a host and "/"; other values of
    ``page`` stay as they are. One page has many
    addresses: parameters of query and path, fragment, ``index.html``, double and final slashes, scheme, "www.", user
    and default port are cut; percent-encoded text is decoded, unless that changes the meaning (``%2F``) or cannot be
    shown. The host stays, in small letters, where there are several. ``card.pages`` says which parameters stay (in
    order of their names) and which paths are one page: patterns, then ids, see the path as it is then. What may be
    private is always ``<mail>``, ``<phone>`` or ``<token>``.

    Parameters
    ----------
    frame : DataFrame
        ``page`` (text), and perhaps ``host`` (str): the host of those pages that are paths. In a table of page views
        (``attrs["of_requests"]`` is False), such as a beacon's, a path that ends in ``/feed`` is a page.
    card : Card
    links : DataFrame, optional
        ``from_page, to_page`` (str), which get the same names.

    Returns
    -------
    tuple
        The rows that stay, with their index and order; the links; and the number of rows left out, by "static" (files
        such as pictures and archives), "feed" and "script". ``attrs["warnings"]`` says which parameters may have named
        pages (never their values), what ``ids`` guessed, and which pattern fits no path. A frame without addresses
        comes back as it is. Raises a WorkbenchError if ``card.pages`` is given and no page is an address, or if no two
        pages are left.

    Source: RFC 3986, sections 3 and 6 (normal forms); yarl reads and decodes.
    """
    if "page" not in frame:
        return frame, links, Counter()
    sides = [] if links is None else [links[side] for side in LINK_COLUMNS]
    values = pd.concat([_with_host(frame), *sides], ignore_index=True).astype(object)
    try:
        codes, found = pd.factorize(values)
    except TypeError as err:
        lists = int((~values.map(lambda value: isinstance(value, Hashable))).sum())
        raise WorkbenchError(
            f"{card.name}: page must be text; {lists:,} {'values are lists' if lists > 1 else 'value is a list'} or "
            "the like. Turn them into text, or name another column as page."
        ) from err
    known = pd.Series(found, dtype=object)
    texts = known[known.map(lambda value: isinstance(value, str)).astype(bool)].astype("str")
    texts = _with_scheme(texts, np.bincount(codes[codes >= 0], minlength=len(known))[texts.index])
    addresses = texts[texts.str.match(ADDRESS)]
    if addresses.empty:
        if card.pages != Pages():
            raise WorkbenchError(
                f"{card.name}: pages is for addresses, which begin with / or http:// or https://; no page here does. "
                "Leave it out, or name the column of addresses."
            )
        return frame, links, Counter()
    named, cut = _named(addresses, card.pages, OTHER_FEED if frame.attrs.get(OF_REQUESTS) is False else FEED)
    if named["host"][named["no_page"].eq("") & named["host"].ne("")].nunique() > 1:
        for name in ("page", "exact"):  # a name that a pattern gives, and is no path, has no host
            named[name] = (named["host"] + named[name]).where(named[name].str.startswith("/"), named[name])
    pages = known.copy()
    pages[addresses.index] = named["page"]
    page = pages.reindex(codes).to_numpy()
    no_page = named["no_page"].reindex(codes, fill_value="").to_numpy()
    of_views, left_out = codes[: len(frame)], no_page[: len(frame)]
    kept = frame.assign(page=page[: len(frame)])[left_out == ""]
    dropped = Counter(left_out[left_out != ""].tolist())
    named["views"] = np.bincount(of_views[of_views >= 0], minlength=len(known))[addresses.index]
    viewed = named[named["no_page"].eq("") & named["views"].gt(0)]
    merged = _merged(viewed, cut, card.pages)
    if (merged or dropped) and kept["page"].nunique() < 2:
        files = f"{dropped.total():,} of files and feeds were left out; static = true under [pages] keeps them."
        raise WorkbenchError(
            f"{card.name}: expected views of at least two pages, or there is nothing to predict; {len(kept):,} of "
            f"{len(frame):,} rows are of one page. {' '.join([files] * bool(dropped) + merged)}"
        )
    warn(kept, merged + _guessed(viewed, card.pages) + _feed_or_page(named))
    if links is not None:
        ends = np.arange(len(frame), len(codes)).reshape(len(LINK_COLUMNS), -1)
        both = pd.DataFrame(dict(zip(LINK_COLUMNS, page[ends], strict=True)))
        links = both[(no_page[ends] == "").all(axis=0)].drop_duplicates(ignore_index=True)
    return kept, links, dropped


def _with_scheme(texts: pd.Series, rows: np.ndarray) -> pd.Series:
    """Texts (str), each in so many rows; where most rows begin with a host and "/", those hosts get their scheme."""
    bare = texts.str.match(BARE)
    if 2 * rows[bare].sum() <= rows.sum():
        return texts
    host = texts.str.extract("^([^/?#]*)", expand=False)
    return texts.mask(host.isin(host[bare]), "http://" + texts)


def _with_host(frame: pd.DataFrame) -> pd.Series:
    """Pages (object, shape (rows,)); a path whose host is known is a full address."""
    pages = frame["page"].astype(object)
    if "host" not in frame:
        return pages
    path, host = frame["page"].astype("str"), frame["host"].astype("str")
    return pages.mask(host.notna() & path.str.startswith("/"), "http://" + host + path)


def _named(addresses: pd.Series, says: Pages, feeds: str = FEED) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What addresses name, with their index, and the parameters that were cut from them, as of :func:`_parameters`.

    Columns (str): ``host``; ``page`` with path, query and route, ``exact`` the same without the guess of ids;
    ``no_page`` ("static", "feed" or empty). ``cut_route`` (bool): whether it lost a route.
    """
    parts = addresses.str.extract(PARTS)
    plain = by_distinct(parts["path"].fillna(""), _path)
    named = says.patterns.items()
    exact = by_distinct(plain, lambda path: next((name for name, pattern in named if re.search(pattern, path)), path))
    page = by_distinct(exact, lambda path: IDS.sub("<id>", path)).where(exact.eq(plain), exact) if says.ids else exact
    parameters = _parameters(parts["query"])
    stays = parameters["name"].isin(says.keep_query) | ("*" in says.keep_query)
    kept, cut = parameters[stays].sort_values("name", kind="stable"), parameters[~stays]
    query = ("?" + by_distinct(kept["part"], _query_part).groupby(kept["address"]).agg("&".join)).reindex(
        addresses.index, fill_value=""
    )
    exact, page = exact + query, page + query
    routes = parts["fragment"][parts["fragment"].str.match(ROUTE).fillna(False).astype(bool)]
    if says.fragments and len(routes):
        route, cut_there = _named(routes.str.removeprefix("!"), replace(says, fragments=False))
        route = ("#" + route[["exact", "page"]]).reindex(addresses.index, fill_value="")
        exact, page = exact + route["exact"], page + route["page"]
        cut = pd.concat([cut, cut_there])
    feed = plain.str.contains(feeds) | parts["query"].str.contains(FEED_QUERY).fillna(False).astype(bool)
    script = plain.str.contains(SCRIPTED) | parts["query"].str.contains(SCRIPTED_QUERY).fillna(False).astype(bool)
    kinds = {"feed": feed, "static": plain.str.contains(STATIC), "script": script}
    kinds = {"skipped": _fits(plain, says.skip)} | ({} if says.static else kinds)
    no_page = np.select([*kinds.values()], [*kinds], "")
    host = by_distinct(parts["host"].fillna(""), _host)
    routed = pd.Series(not says.fragments, addresses.index) & addresses.index.isin(routes.index)
    return pd.DataFrame({"host": host, "page": page, "exact": exact, "no_page": no_page, "cut_route": routed}), cut


def _fits(paths: pd.Series, patterns: tuple[str, ...]) -> pd.Series:
    """Whether any of the patterns is found in each path (bool)."""
    return by_distinct(paths, lambda path: any(re.search(each, path) for each in patterns)).astype(bool)


def _parameters(queries: pd.Series) -> pd.DataFrame:
    """Parameters of queries, without those of tracking: ``address`` (label), ``name`` (decoded) and ``part`` (str)."""
    parts = queries.dropna().str.split("[&;]", regex=True).explode().astype("str")
    names = by_distinct(parts.str.replace("=.*", "", regex=True), _query_part)
    table = pd.DataFrame({"address": parts.index, "name": names.to_numpy(), "part": parts.to_numpy()})
    tracking = by_distinct(names, lambda name: TRACKING.fullmatch(name) is not None).to_numpy(bool)
    return table[table["name"].ne("") & ~tracking]


def _merged(named: pd.DataFrame, cut: pd.DataFrame, says: Pages) -> list[str]:
    """Sentences on what was cut and may have named pages: parameters with several values on one page, and routes."""
    cut = cut[cut["address"].isin(named.index) & cut["name"].str.fullmatch(SHOWN_NAME) & cut["part"].str.contains("=")]
    cut = cut[~cut["name"].str.fullmatch(SECRET).astype(bool)]
    at = cut.assign(page=named["page"].reindex(cut["address"]).to_numpy())
    values = at.drop_duplicates(["page", "name", "part"]).groupby(["page", "name"]).size()
    several = at[(values.reindex(pd.MultiIndex.from_frame(at[["page", "name"]])) > 1).to_numpy()]
    several = several.drop_duplicates(["address", "name"])
    of_name = named["views"].reindex(several["address"]).groupby(several["name"].to_numpy()).sum()
    total = max(named["views"].sum(), 1)
    shown = of_name[of_name >= COMMON * total].sort_values(ascending=False, kind="stable").index[:SHOWN]
    share = named["views"].reindex(several["address"].unique()).sum() / total
    routed = named["views"][named["cut_route"]].sum() / total
    sentences = []
    if share >= MERGED and len(shown):
        sentences.append(
            f"{100 * share:.0f} % of the views had query parameters that were cut, with several values on one page: "
            f"{', '.join(shown)}. If one names the page, keep it under [pages], as in "
            f"keep_query = {[*says.keep_query, shown[0]]}."
        )
    if routed >= MERGED:
        sentences.append(
            f"{100 * routed:.0f} % of the views had a fragment such as #/route, which was cut. If it names the page, "
            "write fragments = true under [pages]."
        )
    return sentences


def _feed_or_page(named: pd.DataFrame) -> list[str]:
    """A sentence on the path that was left out as a web feed, if many views are of it."""
    feeds = named[named["no_page"].eq("feed")]
    views = feeds["views"].groupby(feeds["exact"].str.extract(FEED_OR_PAGE, expand=False)).sum()
    share = views.max() / max(named["views"].sum(), 1) if len(views) else 0
    if share <= FEED_SHARE:
        return []
    return [
        f"{100 * share:.0f} % of the views are of {views.idxmax()}, which was left out as a web feed. If it is a page, "
        "write static = true under [pages]."
    ]


def _guessed(named: pd.DataFrame, says: Pages) -> list[str]:
    """Sentences on what ``ids`` guessed, and on patterns that fit no path."""
    sentences = [
        f"The pattern of {name} fits no path; patterns see it decoded, without query and final slash."
        for name in says.patterns
        if not named["exact"].str.contains(name, regex=False).any()
    ]
    exact, pages = named["exact"].nunique(), named["page"].nunique()
    if pages < exact:
        sentences.append(f"ids made {pages:,} pages out of {exact:,} by a guess; where it is wrong, write patterns.")
    return sentences


def _path(path: str) -> str:
    """The normal form of a path.

    >>> _path("//caf%c3%a9/./a%2fb;jsessionid=1/index.html"), _path("")
    ('/café/a%2Fb', '/')
    """
    decoded = _shown(URL(f"http://host{re.sub('/+', '/', path or '/')}").path_safe)
    public = LONG.sub(_without_token, PHONE.sub("<phone>", MAIL.sub("<mail>", PATH_PARAMETERS.sub("", decoded))))
    plain = INDEX.sub("", public)
    return re.sub("/+", "/", plain).rstrip("/") or "/"


def _without_token(part: re.Match[str]) -> str:
    """A long part of a path, or the word for a token."""
    web_token = part[0].startswith("eyJ") and "." in part[0]
    mixed = len(re.findall(CHANGE, part[0])) > CHANGES * len(part[0]) and not re.fullmatch(HASH, part[0])
    return "<token>" if web_token or mixed else part[0]


def _query_part(part: str) -> str:
    kept = part.replace("%25", "%2525")  # yarl would decode it, and what follows might then be read as encoded
    return MAIL.sub("<mail>", _shown(URL(f"http://host/?{kept}").query_string))


def _shown(text: str) -> str:
    """Decoded text; what would end a path, and what cannot be shown, is encoded."""
    if text.isprintable() and "?" not in text and "#" not in text:
        return text
    return "".join(quote(each, safe="") if each in "?#" or not each.isprintable() else each for each in text)


def _host(text: str) -> str:
    """A host in small letters and Unicode, with a port that is not the usual one; empty where it cannot be one.

    >>> _host("ann:secret@WWW.Shop.Example:443"), _host("xn--mller-kva.example:8080"), _host("shop.example:99999")
    ('shop.example', 'müller.example:8080', '')
    """
    try:
        url = URL(f"http://{text}/")
        host = (url.host or "").rstrip(".").removeprefix("www.")
    except (ValueError, IndexError):  # yarl 1.25 raises the second where brackets do not match
        return ""
    if not re.fullmatch(HOST, host):
        return ""
    shown = f"[{host}]" if ":" in host else host
    return shown if url.explicit_port in USUAL_PORTS else f"{shown}:{url.explicit_port}"
