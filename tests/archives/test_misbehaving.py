"""Servers that break HTTP itself, on raw sockets: a clear error or the whole file, nothing between."""

import gzip
import json
import re
import socket
import struct
import threading
import time
import uuid
from email.utils import formatdate

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from numpy.testing import assert_array_equal

import agnsal
from agnsal.archives import connection
from agnsal.archives.archive import Wanted
from agnsal.archives.connection import base_address
from agnsal.archives.manifest import Manifest
from agnsal.errors import AgnsalError
from tests.spectra.survey_files import write_desi, write_spec

TABLE = Table({"plate": [406], "mjd": [51869], "fiberID": [374]})


class Server:
    """A socket whose every answer is what a function of (request, number of the request) makes of it."""

    def __init__(self, answer):
        self.answer, self.requests = answer, []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client:
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(65536) or b"\r\n\r\n"
            head, _, body = head.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head.lower())
            while length and len(body) < int(length[1]):
                body += client.recv(65536)
            self.requests.append(head.decode("latin1"))
            try:
                for piece in self.answer(self.requests[-1], len(self.requests)):
                    if callable(piece):
                        piece(client)
                    else:
                        client.sendall(piece)
            except OSError:  # nobody listens any more
                pass


def answer(status, body=b"", **headers):
    known = {"Content-Length": len(body), "Connection": "close"}
    known |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in known.items() if value is not None)]
    return ["\r\n".join([*lines, "", ""]).encode("latin1") + body]


def chunked(*pieces, end=True):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    return [head, *(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces), b"0\r\n\r\n" if end else b""]


def part(spec, begin, stop=None, etag='"1"', said=None, **headers):
    stop = len(spec) if stop is None else stop
    said = f"bytes {begin}-{stop - 1}/{len(spec)}" if said is None else said
    return answer("206 Partial Content", spec[begin:stop], ETag=etag, Content_Range=said or None, **headers)


def packed(content, length=None):
    return answer("200 OK", content, Content_Encoding="gzip", Content_Length=len(content) if length is None else length)


def reset(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def dripping(content):
    for byte in content:
        yield bytes([byte])
        threading.Event().wait(0.1)


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / "spec.fits"
    write_spec(path)
    return path.read_bytes()


@pytest.fixture
def pauses(monkeypatch):
    waited = []
    monkeypatch.setattr(connection.time, "sleep", waited.append)
    return waited


@pytest.fixture
def fetch(tmp_path, pauses):
    def call(reply, table=TABLE, archive="sdss", **options):
        call.server = Server(reply)
        options = {"timeout": 2, "attempts": 3, "base_url": call.server.url} | options
        try:
            return agnsal.fetch_spectra(table, tmp_path / "spectra", archive, **options)
        finally:
            call.server.socket.close()

    call.folder = tmp_path / "spectra"
    return call


def left_in(folder):
    return {path.name: path for path in folder.iterdir() if path.name != "manifest.ecsv"}


# ------------------------------------------------------------------------------------------------------- one answer


@pytest.mark.parametrize(
    ("reply", "match"),
    [
        pytest.param(lambda spec: chunked(spec[:5000], end=False), "broke off", id="chunks cut off"),
        pytest.param(lambda spec: chunked(spec[:5760]), "cut off: 5760 bytes", id="chunks end early"),
        pytest.param(lambda _: [chunked()[0], b"zz\r\n"], "broke off", id="chunks of zz"),
        pytest.param(lambda spec: packed(gzip.compress(spec)[:-4000]), "cut off", id="gzip cut"),
        pytest.param(packed, "broke off", id="gzip that is none"),
        pytest.param(lambda spec: packed(gzip.compress(spec), len(spec)), "broke off", id="length of another encoding"),
        pytest.param(lambda spec: part(spec, 0), "another part", id="a part unasked"),
        pytest.param(lambda _: answer("416 No"), "no part of the file", id="416"),
        pytest.param(lambda spec: answer("200 OK", spec, Content_Length=0), "empty file", id="length 0"),
        pytest.param(lambda _: answer("204 No Content"), "empty file", id="204"),
        pytest.param(lambda _: answer("302 Found", Location="/again"), "more than 5 redirects", id="round and round"),
        pytest.param(lambda _: answer("302 Found", Location="file:///x"), "cannot be asked for", id="to a file"),
        pytest.param(lambda _: answer("302 Found", Location="http://[::1"), "cannot be asked for", id="to nowhere"),
        pytest.param(lambda spec: answer("200 OK", spec[:9000], Content_Length=None), "cut off", id="no length"),
        pytest.param(lambda _: answer("200 OK", b'{"error": "login"}'), "no FITS file", id="JSON"),
        pytest.param(lambda _: [b"SSH-2.0-OpenSSH\r\n"], "does not answer", id="no HTTP"),
        pytest.param(lambda _: [b""], "does not answer", id="nothing"),
        pytest.param(lambda spec: [*answer("200 OK", spec[:99], Content_Length=999), reset], "broke off", id="reset"),
    ],
)
def test_what_is_not_whole_is_no_file(fetch, spec, reply, match):
    with pytest.raises(agnsal.AgnsalError, match=match):
        fetch(lambda *_: reply(spec))
    assert not left_in(fetch.folder)


def test_a_head_that_drips_is_given_up(fetch):
    """A byte at a time the time-out of a socket would never come."""
    began = time.monotonic()
    with pytest.raises(agnsal.AgnsalError, match=r"does not answer .*timed out"):
        fetch(lambda *_: dripping(b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 1000), timeout=0.2, attempts=1)
    assert time.monotonic() - began < 5


def test_a_bomb_is_not_unpacked(fetch):
    bomb = gzip.compress(b"SIMPLE  =                    T" + b"\0" * 50_000_000)
    with pytest.raises(agnsal.AgnsalError, match="max_bytes=1000000"):
        fetch(lambda *_: answer("200 OK", bomb, Content_Encoding="gzip"), max_bytes=1e6)


# ------------------------------------------------------------------------------------------------- a part, then more


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(part, id="as asked"),
        pytest.param(lambda spec, have: part(spec, have, have + 60_000), id="not to the end"),
        pytest.param(lambda spec, have: part(spec, have - 100), id="from elsewhere"),
        pytest.param(lambda spec, have: part(spec, have, said=""), id="from nobody knows where"),
        pytest.param(lambda spec, have: part(b"x" * len(spec), have, etag='"2"'), id="of another version"),
        pytest.param(lambda spec, have: answer("416 No"), id="refused"),
        pytest.param(lambda spec, have: answer("200 OK", spec, ETag='"2"'), id="from the beginning"),
        pytest.param(lambda spec, have: answer("503 Busy", Retry_After="1"), id="busy"),
    ],
)
def test_a_file_in_parts_is_the_file(fetch, spec, second):
    def reply(request, number):
        have = re.search(r"range: bytes=(\d+)-", request.lower())
        if number == 1:
            return answer("200 OK", spec[:9000], Content_Length=len(spec), ETag='"1"')
        if number == 2:
            return second(spec, int(have[1]))
        return part(spec, int(have[1])) if have else answer("200 OK", spec)

    fetch(reply)
    assert left_in(fetch.folder).popitem()[1].read_bytes() == spec


@pytest.mark.parametrize(
    ("status", "wait", "expected"),
    [
        ("503 Busy", "7", 7),
        ("429 Slow down", "9" * 400, 30),
        ("429 Slow down", "9" * 5000, 30),
        ("429 Slow down", "-5", 1),
        ("429 Slow down", "²", 1),
        ("429 Slow down", "soon", 1),
        ("429 Slow down", "Wed, 21 Oct 2065 07:28:00 GMT", 30),
        ("429 Slow down", "Wed, 21 Oct 2015 07:28:00 GMT", 1),
        ("429 Slow down", "Wed, 99 Oct 9999 07:28:00 GMT", 1),
        ("503 Busy", formatdate(time.time() + 3600, usegmt=True), 30),
        ("408 Request Timeout", "3", 3),
        ("425 Too Early", "3", 3),
    ],
)
def test_a_server_says_when_to_come_again(fetch, spec, pauses, status, wait, expected):
    fetch(lambda _, n: answer(status, Retry_After=wait) if n == 1 else answer("200 OK", spec), timeout=30)
    assert pauses == [expected]


# ---------------------------------------------------------------------------------------------------------- accounts


def test_an_account_is_told_to_its_server_alone(fetch, spec, tmp_path):
    other = Server(lambda *_: answer("200 OK", spec))
    elsewhere = other.url.replace("127.0.0.1", "localhost")
    first = Server(lambda *_: answer("302 Found", Location=f"{elsewhere}/x"))
    manifest = agnsal.fetch_spectra(TABLE, tmp_path / "a", base_url=first.url.replace("//", "//me:secret@"))
    assert "authorization: basic" in first.requests[0].lower()
    assert "authorization" not in other.requests[0].lower()
    assert "secret" not in str(manifest["address"][0]) + (tmp_path / "a" / "manifest.ecsv").read_text()


def test_an_account_is_in_no_message(fetch, tmp_path):
    server = Server(lambda *_: answer("403 Forbidden"))
    with pytest.raises(agnsal.AgnsalError, match="403 Forbidden") as told:
        agnsal.fetch_spectra(TABLE, tmp_path / "a", base_url=server.url.replace("//", "//me:secret@"))
    assert "secret" not in str(told.value) + (tmp_path / "a" / "manifest.ecsv").read_text()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://a.org/x/", ("https://a.org/x", None)),
        ("http://me:p%40ss@a.org:80/x", ("http://a.org:80/x", ("me", "p@ss"))),
        ("https://me@a.org", ("https://a.org", ("me", ""))),
    ],
)
def test_addresses_and_accounts(given, expected):
    assert base_address(given) == expected


@pytest.mark.parametrize("given", ["a.org", "ftp://a.org", "http://[::1", "http://a.org:port", 3])
def test_what_is_no_address(given):
    with pytest.raises(agnsal.AgnsalError, match="base_url"):
        base_address(given)


# ------------------------------------------------------------------------------------------------------------- coadds


@pytest.fixture(scope="module")
def coadd(tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / "coadd.fits"
    write_desi(path)
    return path.read_bytes(), int(fits.getdata(path, "FIBERMAP")["TARGETID"][0])


@pytest.mark.filterwarnings("ignore:Error validating header")
@pytest.mark.parametrize(
    ("later", "whole"),
    [
        pytest.param(None, True, id="nothing happens"),
        pytest.param(lambda content, a, b: answer("200 OK", content), True, id="no more parts"),
        pytest.param(lambda content, a, b: part(content, a, b, etag='"2"'), True, id="another version"),
        pytest.param(lambda content, a, b: part(content + b"more", a, b), True, id="another size"),
        pytest.param(lambda content, a, b: answer("404 Not Found"), False, id="gone"),
        pytest.param(lambda content, a, b: [b""], False, id="silence"),
    ],
)
@pytest.mark.parametrize("since", [2, 3, 5])
def test_a_coadd_that_changes_while_it_is_read_lacks_no_arm(fetch, coadd, later, whole, since, tmp_path):
    """An error on the way would be taken for the end of the file, and the arms behind it for none."""
    content, target = coadd
    table = Table({"targetid": [target], "survey": ["main"], "program": ["dark"], "healpix": [1]})

    def reply(request, number):
        asked = re.search(r"range: bytes=(\d+)-(\d+)", request.lower())
        if asked is None:
            return answer("200 OK", content)
        begin, stop = int(asked[1]), min(int(asked[2]) + 1, len(content))
        return part(content, begin, stop) if later is None or number < since else later(content, begin, stop)

    if not whole:
        with pytest.raises(agnsal.AgnsalError, match=r"is not there|does not answer"):
            fetch(reply, table, "desi")
        assert not left_in(fetch.folder)
        return
    fetch(reply, table, "desi")
    (spectrum,) = agnsal.read_spectra(fetch.folder)
    (tmp_path / "coadd.fits").write_bytes(content)
    own = next(one for one in agnsal.read_spectra(tmp_path / "coadd.fits") if one.meta["object_id"] == str(target))
    assert_array_equal(spectrum.flux.value, own.flux.value)
    assert_array_equal(spectrum.spectral_axis.value, own.spectral_axis.value)


# ---------------------------------------------------------------------------------------------- SPARCL, VizieR, folders


NAME = str(uuid.UUID(int=0xABC))
WAVELENGTH = np.arange(3600.0, 9000.0, 2.0)


def sparcl(*more, **fields):
    record = {
        "sparcl_id": NAME,
        "wavelength": WAVELENGTH.tolist(),
        "flux": np.arange(1.0, 1 + WAVELENGTH.size).tolist(),
    }
    record |= {"ivar": [100.0] * WAVELENGTH.size, "redshift": 0.1, "ra": 1.0, "dec": 2.0} | fields
    return answer("200 OK", json.dumps([{"status": {}}, record, *({**record, **each} for each in more)]).encode())


@pytest.mark.parametrize(
    ("reply", "match"),
    [
        (sparcl(flux=[10**400] * WAVELENGTH.size), "no good pixel"),
        (sparcl(flux=[True] * WAVELENGTH.size), "without an array flux of numbers"),
        (sparcl(flux=[float("nan")] * WAVELENGTH.size), r"sparcl-.*abc\.fits: it has no good pixel"),
        (sparcl({"redshift": 0.2}), "came twice, and not the same"),
    ],
)
def test_records_of_sparcl_that_are_no_spectra(fetch, reply, match):
    with pytest.raises(agnsal.AgnsalError, match=match):
        fetch(lambda *_: reply, Table({"sparcl_id": [NAME]}), "sparcl")
    assert not left_in(fetch.folder)


@pytest.mark.parametrize("fields", [{"redshift": True}, {"redshift": 10**400}, {"redshift": "high"}, {"ra": 10**400}])
def test_what_a_record_says_beside_its_spectrum_is_checked(fetch, fields):
    fetch(lambda *_: sparcl(**fields), Table({"sparcl_id": [NAME.upper()]}), "sparcl")
    (spectrum,) = agnsal.read_spectra(fetch.folder)
    assert spectrum.meta["redshift"] == (0.1 if "ra" in fields else None)


def votable(columns, row, before=""):
    named = "".join(f'<FIELD name="{name}" datatype="char" arraysize="*"/>' for name in columns)
    cells = "".join(f"<TD>{cell}</TD>" for cell in row)
    table = f"<TABLE>{named}<DATA><TABLEDATA><TR>{cells}</TR></TABLEDATA></DATA></TABLE>"
    status = '<INFO name="QUERY_STATUS" value="OK"/>'
    text = f'<VOTABLE version="1.3">{before}<RESOURCE type="results">{status}{table}</RESOURCE></VOTABLE>'
    return answer("200 OK", text.encode(), Content_Type="text/xml")


LISTED = votable(("table_name", "description"), ("J/MNRAS/427/1266/table2", "type 2"))


def test_a_service_that_is_no_tap(tmp_path, pauses):
    server = Server(lambda *_: votable(("name",), ("a",)))
    with pytest.raises(agnsal.AgnsalError, match="is it a TAP service"):
        agnsal.fetch_catalogue("vaona2012", tmp_path, base_url=server.url)
    for bound in (0, "many", 2.5):
        with pytest.raises(agnsal.AgnsalError, match="max_rows must be a whole number"):
            agnsal.fetch_catalogue("vaona2012", tmp_path, max_rows=bound)


def test_a_catalogue_that_was_kept_is_whole_or_refused(tmp_path, pauses):
    """Of several resources the one of results counts; a file that lost its end is no shorter catalogue."""
    meta = '<RESOURCE type="meta"></RESOURCE>'
    server = Server(lambda _, n: LISTED if n == 1 else votable(("plate", "name"), ("266", "ngc 1"), meta))
    for _ in range(2):
        table = agnsal.fetch_catalogue("vaona2012", tmp_path, base_url=server.url)
        assert table["name"].tolist() == ["ngc 1"]
    (path,) = tmp_path.iterdir()
    text = path.read_text()
    for lost in (1, 3, 12):
        path.write_text(text[:-lost])
        with pytest.raises(agnsal.AgnsalError, match="remove it to fetch it again"):
            agnsal.fetch_catalogue("vaona2012", tmp_path)


def test_two_who_write_one_manifest_note_all_files(tmp_path):
    """The manifest is of the folder, not of whoever wrote it last."""
    wanted = [Wanted(0, f"{name}.fits", ()) for name in "ab"]
    for one in wanted:
        (tmp_path / one.file).write_bytes(one.file.encode())
    first, second = (Manifest(tmp_path, TABLE, [one]) for one in wanted)
    first.note(wanted[0], "http://a.org", "0" * 64)
    second.note(wanted[1], "http://a.org", AgnsalError("gone"))
    first.write()
    second.write()
    first.write()
    known = Table.read(tmp_path / "manifest.ecsv")
    assert dict(zip(known["file"], known["status"], strict=True)) == {"a.fits": "fetched", "b.fits": "failed"}
