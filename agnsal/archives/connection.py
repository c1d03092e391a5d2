"""A patient connection to an archive: bounded, resumed where the server can, and never satisfied with half a file."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote, urlsplit, urlunsplit

from agnsal.archives.bounded import bound_answers
from agnsal.display import printable
from agnsal.errors import AgnsalError

if TYPE_CHECKING:
    import requests

T = TypeVar("T")

_PIECE = 2**18
_LEAST_SPEED = 1000.0  # bytes a second, on average once the time-out has passed
_MOST_REDIRECTS = 5
_PART, _NO_SUCH_PART = HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
_NOT_THERE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_BUSY = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
#: Set on every request: lengths and parts are of the file, not of a packed form of it.
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "agnsal (python-requests)"}


class NotThereError(AgnsalError):
    """The server is there and says that the file is not."""


class _PassingError(Exception):
    """Trouble that may be over at the next attempt."""

    def __init__(self, trouble: str, wait: float = 0.0) -> None:
        super().__init__(trouble)
        self.wait = wait


@dataclass(frozen=True)
class Received:
    """What was written.

    Attributes
    ----------
    address : str
        Where it came from, after redirects.
    size : int
        In bytes.
    sha256 : str
        Of the content.
    """

    address: str
    size: int
    sha256: str


@dataclass
class Connection:
    """Requests that are repeated with growing pauses while there is hope, and refused in words where there is none.

    Parameters
    ----------
    timeout : float
        Seconds the server may be silent. A transfer that goes on must come to 1 kB/s by then.
    attempts : int
        Of each request, over busy servers, lost connections and files cut off.
    pause : float
        Seconds before the second attempt, doubled before each next one; never longer than `timeout`, whatever the
        server asks for.
    max_bytes : float
        A file may have at most.
    account : tuple of str, optional
        Name and password, for the first server alone.

    Notes
    -----
    Certificates are always checked, and a redirect may not leave HTTPS. One `requests.Session` a thread.

    Examples
    --------
    >>> Connection(timeout=5).attempts
    5
    """

    timeout: float = 60.0
    attempts: int = 5
    pause: float = 1.0
    max_bytes: float = 4e9
    account: tuple[str, str] | None = None
    _sessions: threading.local = field(default_factory=threading.local, repr=False)

    def __post_init__(self) -> None:
        for name in ("timeout", "attempts", "max_bytes"):
            if not getattr(self, name) > 0:
                raise AgnsalError(f"{name} must be positive, got {getattr(self, name)!r}.")

    def download(self, address: str, path: Path, sha256: str = "", *, validator: Path | None = None) -> Received:
        """Write the file of an address; what was there already is its first part.

        Parameters
        ----------
        address : str
            Of the file.
        path : Path
            Where to write. Not the final name: what stands here after an error is a part.
        sha256 : str
            The sum the content must have, if it is known.
        validator : Path, optional
            Where to keep what tells whether the file on the server is still the same (its ETag), so that a later call
            goes on. Without it only this call goes on where it was cut off.

        Returns
        -------
        Received

        Raises
        ------
        NotThereError
            If the server says that there is no such file.
        AgnsalError
            If it cannot be had, is a web page, is too long or has another sum.
        """
        mark = validator.read_text(encoding="utf-8") if validator is not None and validator.is_file() else ""
        marks = {"mark": mark if path.exists() else ""}

        def attempt() -> str:
            have = path.stat().st_size if path.exists() and marks["mark"] else 0
            asked = {"Range": f"bytes={have}-", "If-Range": marks["mark"]} if have else {}
            with self._answer("GET", address, headers=asked) as answer:
                if answer.status_code == _NO_SUCH_PART:
                    path.unlink(missing_ok=True)
                    raise _PassingError("the part that was there is no part of the file")
                sent = answer.headers.get("Content-Range", "")
                etag = _strong(answer.headers.get("ETag", ""))
                goes_on = answer.status_code == _PART
                if goes_on and not (have and sent.startswith(f"bytes {have}-") and etag in ("", marks["mark"])):
                    marks["mark"] = ""
                    raise _PassingError("the server sent another part, or of another file, than was asked for")
                marks["mark"] = marks["mark"] if goes_on else etag
                if validator is not None:
                    validator.write_text(marks["mark"], encoding="utf-8")
                have = have if goes_on else 0
                claimed = answer.headers.get("Content-Length", "")
                expected = (
                    have + int(claimed) if claimed.isdigit() and "Content-Encoding" not in answer.headers else None
                )
                if goes_on and sent.rpartition("/")[2].isdigit():  # a part may end before the file does
                    expected = int(sent.rpartition("/")[2])
                self._check_size(address, expected or 0)
                with path.open("r+b" if goes_on else "wb") as file:
                    file.seek(have)
                    for piece in self._pieces(answer):
                        if not file.tell():
                            _check_content(address, answer, piece)
                        file.write(piece)
                        self._check_size(address, file.tell())
                    size = file.tell()
                if expected is not None and size != expected:
                    raise _PassingError(f"{size} of {expected} bytes came")
                if not size:
                    raise _PassingError("an empty file came")
                return str(answer.url)

        final = self._patiently(address, attempt)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if sha256 and digest != sha256.lower():
            path.unlink()
            raise AgnsalError(f"{address} has the sum sha256 {digest}, not {printable(sha256)[:64]}: another file.")
        return Received(final, path.stat().st_size, digest)

    def part(self, address: str, start: int, stop: int) -> tuple[bytes, int, str] | None:
        """Bytes `start` to before `stop` of a file, its whole size and ETag; None if the server sends no parts."""

        def attempt() -> tuple[bytes, int, str] | None:
            with self._answer("GET", address, headers={"Range": f"bytes={start}-{stop - 1}"}) as answer:
                if answer.status_code != _PART:
                    return None
                sent = answer.headers.get("Content-Range", "")
                content = b"".join(self._pieces(answer, stop - start))
                size = sent.removeprefix(f"bytes {start}-{stop - 1}/")
                if not size.isdigit() or len(content) != stop - start:
                    raise _PassingError(f"{len(content)} bytes came as {printable(sent)!r}, not the part asked for")
                return content, int(size), answer.headers.get("ETag", "")

        return self._patiently(address, attempt)

    def post(
        self,
        address: str,
        *,
        document: object = None,
        form: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> bytes:
        """Send a JSON document or a form, receive the whole answer."""

        def attempt() -> bytes:
            options = {"json": document, "data": form, "params": parameters}
            with self._answer("POST", address, **options) as answer:
                content = b"".join(self._pieces(answer, self.max_bytes))
                _check_content(address, answer, content)
                if not content:
                    raise _PassingError("an empty answer came")
                return content

        return self._patiently(address, attempt)

    def session(self) -> requests.Session:
        """The session of this thread."""
        try:
            import requests
        except ImportError as error:
            raise AgnsalError("fetching needs requests: pip install 'agnsal[archives]'.") from error
        session: requests.Session | None = getattr(self._sessions, "session", None)
        if session is None:
            session = self._sessions.session = requests.Session()
            session.headers.update(_HEADERS)
            session.max_redirects = _MOST_REDIRECTS
            session.auth = self.account
            for adapter in session.adapters.values():
                bound_answers(adapter)
        return session

    def _patiently(self, address: str, attempt: Callable[[], T]) -> T:
        for number in range(1, self.attempts + 1):
            try:
                return attempt()
            except _PassingError as trouble:
                if number == self.attempts:
                    said = f"{address}: {trouble}, after {number} attempt{'s' * (number > 1)}."
                    raise AgnsalError(f"{said} Try again later; what came is kept.") from None
                time.sleep(min(max(self.pause * 2 ** (number - 1), trouble.wait), self.timeout))
        raise AssertionError("an attempt either succeeds or raises")

    @contextmanager
    def _answer(self, method: str, address: str, **options: object) -> Iterator[requests.Response]:
        """An answer whose status is good; its body is not read yet."""
        session = self.session()
        from requests import exceptions

        try:
            answer = session.request(method, address, stream=True, timeout=self.timeout, **options)  # type: ignore[arg-type]
        except exceptions.SSLError as error:
            raise AgnsalError(
                f"{address}: the certificate of the server is not accepted ({_cause(error)}); nothing was fetched."
            ) from None
        except exceptions.TooManyRedirects:
            raise AgnsalError(f"{address}: more than {_MOST_REDIRECTS} redirects, nothing was fetched.") from None
        except (exceptions.ConnectionError, exceptions.Timeout, exceptions.ChunkedEncodingError) as error:
            raise _PassingError(f"the server does not answer ({_cause(error)})") from None
        except (exceptions.RequestException, ValueError) as error:
            raise AgnsalError(f"{address!r} cannot be asked for: {str(error)[:200]}") from None
        with answer:
            if urlsplit(address).scheme == "https" and urlsplit(answer.url).scheme != "https":
                raise AgnsalError(f"{address} was redirected to {answer.url}, without encryption; nothing was fetched.")
            status = f"{answer.status_code} {answer.reason or ''}".strip()
            if answer.status_code in _NOT_THERE:
                raise NotThereError(f"{address} is not there ({status}).")
            if answer.status_code in _BUSY or answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise _PassingError(
                    f"the server says {printable(status)}", _seconds(answer.headers.get("Retry-After", ""))
                )
            if answer.status_code >= HTTPStatus.BAD_REQUEST and answer.status_code != _NO_SUCH_PART:
                raise AgnsalError(f"{address} is refused by the server: {printable(status)}.")
            yield answer

    def _pieces(self, answer: requests.Response, most: float = float("inf")) -> Iterator[bytes]:
        """What the server sends, as it comes: waiting for a whole piece would hide how slow it is."""
        from urllib3.exceptions import HTTPError

        began, size = time.monotonic(), 0
        try:
            while piece := answer.raw.read1(_PIECE, decode_content=True):
                size += len(piece)
                if size > most:
                    raise AgnsalError(f"{answer.url} sends more than the {most:.0f} bytes that were asked for.")
                passed = time.monotonic() - began
                if passed > self.timeout and size < _LEAST_SPEED * passed:
                    raise _PassingError(f"the transfer is too slow ({size} bytes in {passed:.0f} s)")
                yield piece
        except (HTTPError, OSError) as error:
            raise _PassingError(f"the transfer broke off ({_cause(error)})") from None

    def _check_size(self, address: str, size: int) -> None:
        if size > self.max_bytes:
            raise AgnsalError(
                f"{address} has {size} bytes or more, over the bound max_bytes={self.max_bytes:.0f}; give a larger one "
                "if you want it."
            )


def base_address(address: str) -> tuple[str, tuple[str, str] | None]:
    """The address of an archive, which the places of its files are added to, and the account that it named.

    Addresses are shown in messages and kept in manifests; accounts are not.
    """
    text = str(address)
    if not text.lower().startswith(("https://", "http://")):
        raise AgnsalError(f"base_url must begin with https:// or http://, got {address!r:.80}.")
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - is checked when it is asked for
    except ValueError as error:
        raise AgnsalError(f"base_url is no address ({printable(error)[:80]}).") from None
    if parts.username is None:
        return text.rstrip("/"), None
    account = unquote(parts.username), unquote(parts.password or "")
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/"), account


def _seconds(wait: str) -> float:
    """What a server asks to wait for: seconds, or a date."""
    if wait.isascii() and wait.isdigit():
        return float(wait)
    try:
        return max(0.0, parsedate_to_datetime(wait).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


def _check_content(address: str, answer: requests.Response, piece: bytes) -> None:
    """A web page with a good status is a notice, not a file."""
    start = piece[:200].lstrip().lower()
    if "text/html" in answer.headers.get("Content-Type", "").lower() or start.startswith((b"<!doctype html", b"<html")):
        raise AgnsalError(
            f"{address} answered with a web page, not with a file: a notice, a login, or no address of this archive."
        )


def _strong(etag: str) -> str:
    """An ETag by which parts of a file may be put together; weak ones are of equal meaning, not of equal bytes."""
    return "" if etag.startswith("W/") else etag


def _cause(error: BaseException) -> str:
    """The innermost reason of a chain of exceptions, which say each other's in their own words."""
    while True:
        inner = error.__cause__ or error.__context__ or getattr(error, "reason", None)
        inner = inner or next((part for part in error.args if isinstance(part, BaseException)), None)
        if not isinstance(inner, BaseException):
            return printable(str(error) or type(error).__name__)[:160]
        error = inner
