"""Where a dataset's files come from: beside the card, the cache, a mirror, or upstream."""

from __future__ import annotations

import os
import re
from http import HTTPStatus
from pathlib import Path

import pooch
import requests

from workbench.datasets.cards import CHECKOUT, Card, SourceFile, card_folder
from workbench.datasets.readers import UTF_16, first_bytes
from workbench.errors import WorkbenchError
from workbench.writing import put, scratch_beside

WEB_PAGE = re.compile(rb"<(!doctype|!--|\?xml|html|head|body|script)", re.IGNORECASE)
JSON = (b"{", b"[", *UTF_16)
BEGINS = {".json": JSON, ".jsonl": JSON, ".ndjson": JSON, ".parquet": (b"PAR1",)}  # how a file begins, by its ending


def fetch_file(card: Card, file: SourceFile, *, progress: bool = True) -> Path:
    """Return a verified local copy of a card's file; download it if there is none.

    Searched in this order: beside the card, the cache, ``WORKBENCH_MIRROR`` (a folder or a URL, as ``<card name>/<file
    name>``, or under the folder that the file names; a relative folder counts from the checkout), the upstream URL.
    With ``progress``, downloads draw a bar on stderr. Raises a WorkbenchError if the file is nowhere, cannot be read or
    written, differs from the card's sha256 (if it states one), or the download fails; nothing is left in the cache
    then.
    """
    beside = card.folder / file.name if card.folder else None
    mirror, folder = os.environ.get("WORKBENCH_MIRROR", ""), file.folder or card.name
    mirrored = (CHECKOUT / Path(mirror).expanduser()).resolve() / folder / file.name
    cached = cache_folder() / folder / file.name
    for path in (beside, cached, None if _is_url(mirror) or not mirror else mirrored):
        if path is not None and _is_verified(path, file):
            return path
    if _is_url(mirror):
        try:
            return _download(f"{mirror.rstrip('/')}/{folder}/{file.name}", file, cached, progress)
        except WorkbenchError as err:
            if not (file.url and _is_not_found(err.__cause__)):
                raise
    if not file.url:
        raise WorkbenchError(
            f"{card.name}: {file.name} has no public address. Put it beside the card, or set WORKBENCH_MIRROR to a "
            f"folder that holds {folder}/{file.name}."
        )
    return _download(file.url, file, cached, progress)


def cache_folder() -> Path:
    """Folder of downloads: ``cache/`` beside the cards, or the user's cache where there are no cards."""
    try:
        return card_folder() / "cache"
    except WorkbenchError:
        return Path(pooch.os_cache("performance-workbench"))


def _is_not_found(cause: BaseException | None) -> bool:
    response = getattr(cause, "response", None)
    return response is not None and response.status_code == HTTPStatus.NOT_FOUND


def _is_url(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def _is_verified(path: Path, file: SourceFile) -> bool:
    """Whether a file is there; one with another content than the card describes is refused."""
    try:
        if not path.is_file():
            return False
        differs = file.sha256 and pooch.file_hash(str(path)) != file.sha256
    except OSError as err:
        raise WorkbenchError(f"could not read {path}: {_system_message(err)}. Make it readable and try again.") from err
    if differs:
        raise WorkbenchError(
            f"{path} is not the file that the card describes: its sha256 differs (expected {file.sha256[:12]}...). "
            "Delete it, or correct the card."
        )
    return True


def _download(url: str, file: SourceFile, target: Path, progress: bool) -> Path:
    known = f"sha256:{file.sha256}" if file.sha256 else None
    downloader = pooch.HTTPDownloader(progressbar=progress, timeout=60)
    pooch.get_logger().setLevel("WARNING")
    try:
        with scratch_beside(target) as scratch:
            came = Path(pooch.retrieve(url, known, target.name, scratch, downloader=downloader))
            if not known:
                _check_format(came, url)
            return put(came, target)
    except requests.exceptions.RequestException as err:
        raise WorkbenchError(
            f"could not download {file.name} from {url}: {_reason(err)}. Try again, or set WORKBENCH_MIRROR to a "
            "folder that holds it."
        ) from err
    except ValueError as err:
        raise WorkbenchError(
            f"{url} gave another file than the card describes: its sha256 differs (expected {file.sha256[:12]}...). "
            "The download was cut or the source has changed; nothing was kept."
        ) from err
    except OSError as err:
        raise WorkbenchError(
            f"could not write {target}: {_system_message(err)}; nothing was kept. Make room there or make the folder "
            f"writable and try again, or put {file.name} beside the card."
        ) from err


def _check_format(came: Path, url: str) -> None:
    """Refuse what is not of the kind that its name says: nothing, a web page such as a login, or another format."""
    try:
        first = first_bytes(came, 1000)
    except WorkbenchError as err:
        raise WorkbenchError(f"what {url} gave was not kept: {err}") from err
    begins = next((BEGINS[ending.lower()] for ending in came.suffixes if ending.lower() in BEGINS), (first,))
    if not first:
        found = "an empty file"
    elif WEB_PAGE.match(first):
        found = "a web page, perhaps a login,"
    elif not first.startswith(begins):
        found = "another format"
    else:
        return
    raise WorkbenchError(
        f"{url} gave {found} in place of {came.name}; nothing was kept. Open the address in a browser, correct it in "
        "the card, or put the file beside the card."
    )


def _system_message(err: OSError) -> str:
    """What the system said, also where pooch has put it into words of its own."""
    cause = err.__cause__
    return err.strerror or (cause.strerror if isinstance(cause, OSError) else None) or str(err)


def _reason(err: requests.exceptions.RequestException) -> str:
    if err.response is not None:
        return f"the server answered {err.response.status_code}"
    if isinstance(err, requests.exceptions.Timeout):
        return "no answer in time"
    return "the server cannot be reached, or broke off"
