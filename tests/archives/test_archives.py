"""Archives on a server of this machine, which misbehaves as real ones do: nothing lost, nothing wrong."""

import gzip
import hashlib
import json
import re
import threading
import uuid
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable, Table
from numpy.testing import assert_allclose, assert_array_equal
from werkzeug import Request, Response

import agnsal
from agnsal.archives import connection, fetching
from agnsal.archives.fetching import ARCHIVES
from tests.spectra.survey_files import specobj, write_desi, write_spec

PLACE = "/dr17/sdss/spectro/redux/26/spectra/lite/0406/spec-0406-51869-0374.fits"
TABLE = Table({"plate": [406], "mjd": [51869], "fiberID": [374]})


@pytest.fixture
def spec(tmp_path):
    """The bytes of the spec file of the one spectrum that is asked for."""
    path = tmp_path / "original.fits"
    write_spec(path)
    return path.read_bytes()


@pytest.fixture
def fetch(httpserver, tmp_path, monkeypatch):
    """Fetch from the server of the test, without pauses."""
    monkeypatch.setattr(connection.time, "sleep", lambda _: None)

    def call(table=TABLE, archive="sdss", **options):
        options = {"timeout": 5, "attempts": 3, "base_url": httpserver.url_for(""), **options}
        return agnsal.fetch_spectra(table, tmp_path / "spectra", archive, **options)

    call.folder = tmp_path / "spectra"
    return call


def left_in(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != "manifest.ecsv")


# --------------------------------------------------------------------------------------------------- what should be


def test_a_spectrum_comes_whole_with_its_manifest(httpserver, fetch, spec):
    httpserver.expect_request(PLACE).respond_with_data(spec)
    manifest = fetch()
    (row,) = manifest
    assert row["status"] == "fetched"
    assert row["file"] == "spec-0406-51869-0374.fits"
    assert row["address"] == httpserver.url_for(PLACE)
    assert (row["size"], row["sha256"]) == (len(spec), hashlib.sha256(spec).hexdigest())
    assert (fetch.folder / row["file"]).read_bytes() == spec
    assert manifest["plate"][0] == 406
    (spectrum,) = agnsal.read_spectra(fetch.folder / row["file"])
    assert spectrum.meta["object_id"] == "0406-51869-0374"


def test_what_is_there_is_not_asked_for_again(httpserver, fetch, spec):
    httpserver.expect_oneshot_request(PLACE).respond_with_data(spec)
    fetch()
    assert fetch()["status"].tolist() == ["kept"]


def test_a_folder_of_fetched_spectra_is_read_without_its_manifest(httpserver, fetch, spec):
    httpserver.expect_request(PLACE).respond_with_data(spec)
    fetch()
    assert len(agnsal.read_spectra(fetch.folder)) == 1


@pytest.mark.parametrize("damage", [lambda old: old[:-2880], lambda old: old[:5000] + b"x" + old[5001:], None])
def test_a_file_that_was_changed_is_fetched_again(httpserver, fetch, spec, damage):
    httpserver.expect_request(PLACE).respond_with_data(spec)
    path = fetch.folder / fetch()["file"][0]
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(spec))
    assert fetch()["status"].tolist() == ["fetched"]
    assert path.read_bytes() == spec


def test_a_manifest_as_table_asks_for_the_same_bytes(httpserver, fetch, spec, tmp_path):
    httpserver.expect_request(PLACE).respond_with_data(spec)
    manifest = fetch()
    (fetch.folder / manifest["file"][0]).unlink()
    assert fetch(manifest)["sha256"].tolist() == manifest["sha256"].tolist()
    manifest["sha256"] = "0" * 64
    with pytest.raises(agnsal.AgnsalError, match="another file"):
        fetch(manifest)


def test_two_rows_of_one_spectrum_are_one_file(httpserver, fetch, spec):
    httpserver.expect_oneshot_request(PLACE).respond_with_data(spec)
    manifest = fetch(Table({"plate": [406, 406], "mjd": [51869] * 2, "fiber": [374] * 2}))
    assert manifest["status"].tolist() == ["fetched", "fetched"]


def test_columns_have_other_names_types_and_masks(httpserver, fetch, spec):
    httpserver.expect_request(PLACE).respond_with_data(spec)
    table = Table({"PL": np.array(["406"]), "MJD": np.array([51869.0]), "f": [374]})
    assert fetch(table, columns={"plate": "PL", "fiber": "f"})["status"].tolist() == ["fetched"]
    table = Table({"plate": np.ma.array([406], mask=[True]), "mjd": [51869], "fiber": [374]})
    with pytest.raises(agnsal.AgnsalError, match="row 0: plate is no whole number"):
        fetch(table)


# ------------------------------------------------------------------------------------------------------- addresses

GOLDEN = [
    ("dr17", {"plate": 266, "mjd": 51630, "fiber": 3, "run2d": "26"},
     "dr17/sdss/spectro/redux/26/spectra/lite/0266/spec-0266-51630-0003.fits"),
    ("dr17", {"plate": 4055, "mjd": 55359, "fiber": 6},
     "dr17/sdss/spectro/redux/v5_13_2/spectra/lite/4055/spec-4055-55359-0006.fits"),
    ("dr17", {"plate": 10909, "mjd": 58280, "fiber": 485},
     "dr17/sdss/spectro/redux/v5_13_2/spectra/lite/10909/spec-10909-58280-0485.fits"),
    ("dr18", {"plate": 266, "mjd": 51630, "fiber": 3, "run2d": "103"},
     "dr18/spectro/sdss/redux/103/spectra/lite/0266/spec-0266-51630-0003.fits"),
    ("dr19", {"plate": 3586, "mjd": 55181, "fiber": 2},
     "dr19/spectro/sdss/redux/v5_13_2/spectra/lite/3586/spec-3586-55181-0002.fits"),
    ("dr18", {"field": 15170, "mjd": 59292, "catalogid": 4570401475},
     "dr18/spectro/boss/redux/v6_0_4/spectra/lite/15170p/59292/spec-15170-59292-04570401475.fits"),
    ("dr19", {"field": 15170, "mjd": 59292, "catalogid": 27021598054114233},
     "dr19/spectro/boss/redux/v6_1_3/spectra/lite/015170/59292/spec-015170-59292-27021598054114233.fits"),
    ("dr20", {"field": 15170, "mjd": 59292, "catalogid": 4570401475},
     "dr20/spectro/boss/redux/v6_2_1/spectra/daily/lite/015XXX/015170/59292/spec-015170-59292-04570401475.fits"),
    ("dr20", {"field": 112359, "mjd": 60000, "catalogid": 63050394846353216, "run2d": "v6_2_0"},
     "dr20/spectro/boss/redux/v6_2_0/spectra/daily/lite/112XXX/112359/60000/spec-112359-60000-63050394846353216.fits"),
]  # fmt: skip


@pytest.mark.parametrize(("release", "row", "place"), GOLDEN)
def test_addresses_of_sdss(release, row, place):
    """By the path rules of the releases; the first two DR17 and the DR18 ones are addresses met in the wild."""
    table = Table({name: [value] for name, value in row.items()})
    (wanted,) = ARCHIVES["sdss"].wanted(table, release, {})
    assert wanted.places == (place,)
    assert wanted.file == place.rsplit("/", 1)[1]


def test_a_legacy_plate_without_run2d_is_looked_for_in_all_its_reductions(httpserver, fetch, spec):
    httpserver.expect_request(PLACE.replace("/26/", "/103/")).respond_with_data(spec)
    for run in ("26", "104"):
        httpserver.expect_request(PLACE.replace("/26/", f"/{run}/")).respond_with_data("", status=404)
    assert "/103/" in fetch()["address"][0]


def test_addresses_of_desi():
    row = Table({"TARGETID": [39627658462859554], "SURVEY": ["main"], "PROGRAM": ["dark"], "HEALPIX": [10016]})
    (wanted,) = ARCHIVES["desi"].wanted(row, "dr1", {})
    place = "healpix/main/dark/100/10016/coadd-main-dark-10016.fits"
    assert wanted.places == (f"dr1/spectro/redux/iron/{place}",)
    assert ARCHIVES["desi"].wanted(row, "edr", {})[0].places == (f"edr/spectro/redux/fuji/{place}",)


@pytest.mark.parametrize(
    ("archive", "row", "match"),
    [
        ("sdss", {"plate": ["../../etc"], "mjd": [1], "fiber": [1]}, "plate is no whole number"),
        ("sdss", {"plate": [1], "mjd": [1], "fiber": [1], "run2d": ["../x"]}, "is no run2d"),
        ("sdss", {"plate": [1], "mjd": [1], "fiber": [1], "run2d": ["a/b"]}, "is no run2d"),
        ("sdss", {"plate": [-1], "mjd": [1], "fiber": [1]}, "no whole number"),
        ("sdss", {"ra": [1.0], "dec": [2.0]}, r"ra, dec.*columns=\{'plate'"),
        ("sdss", {"field": [1], "mjd": [1], "catalogid": [1]}, "no spectra of SDSS-V"),
        ("sdss", {"plate": [1], "PLATE": [1], "mjd": [1], "fiber": [1]}, "several columns"),
        ("desi", {"targetid": [1], "survey": [".."], "program": ["dark"], "healpix": [1]}, "is no survey"),
        ("desi", {"targetid": [1], "survey": ["main"], "program": ["a/../b"], "healpix": [1]}, "is no program"),
        ("desi", {"targetid": [1], "survey": ["main"], "program": ["dark"]}, r"columns=\{'healpix'"),
        ("sparcl", {"sparcl_id": ["../../x"]}, "is no sparcl_id"),
        ("sdss", {"plate": [1], "mjd": [1], "fiber": [1], "sha256": ["abc"]}, "no sum sha256"),
    ],
)
def test_rows_that_name_no_spectrum_are_refused_before_anything_is_asked(fetch, httpserver, archive, row, match):
    with pytest.raises(agnsal.AgnsalError, match=match):
        fetch(Table(row), archive)
    assert not fetch.folder.exists()
    assert not httpserver.log


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"archive": "lamost"}, "archive must be one of 'sdss', 'desi', 'sparcl'"),
        ({"release": "dr3"}, "release must be one of 'dr17'"),
        ({"base_url": "ftp://somewhere"}, "https://"),
        ({"on_error": "ignore"}, "on_error must be one of"),
        ({"attempts": 0}, "attempts must be positive"),
    ],
)
def test_options_that_mean_nothing_are_refused(fetch, options, match):
    with pytest.raises(agnsal.AgnsalError, match=match):
        fetch(**options)


# ------------------------------------------------------------------------------------------------ a bad server


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_busy_server_is_asked_again(httpserver, fetch, spec, status):
    httpserver.expect_oneshot_request(PLACE).respond_with_data("", status=status, headers={"Retry-After": "1"})
    httpserver.expect_request(PLACE).respond_with_data(spec)
    assert fetch()["status"].tolist() == ["fetched"]


def test_pauses_grow_and_are_bounded(httpserver, fetch, monkeypatch):
    pauses = []
    monkeypatch.setattr(connection.time, "sleep", pauses.append)
    httpserver.expect_request(PLACE).respond_with_data("", status=503, headers={"Retry-After": "86400"})
    with pytest.raises(agnsal.AgnsalError, match=r"503.*3 attempts"):
        fetch(timeout=3)
    assert pauses == [3, 3]
    pauses.clear()
    httpserver.clear()
    httpserver.expect_request(PLACE).respond_with_data("", status=500)
    with pytest.raises(agnsal.AgnsalError):
        fetch(attempts=4)
    assert pauses == [1, 2, 4]


def cut_off(content, length, **headers):
    """The beginning of an answer, after which the server closes the connection."""
    return Response(iter([content]), headers={"Content-Length": str(length), **headers})


def html(_):
    return Response("<!DOCTYPE html><html>down for maintenance</html>", status=200, content_type="text/html")


def html_as_fits(_):
    return Response(b"  <html>login</html>", status=200, content_type="application/fits")


def shorter_than_it_says(request):
    return cut_off(b"SIMPLE" * 100, 100000)


def whole_header_half_data(request):
    """A length that is right for what came, of a file that was cut off on the server."""
    return Response(shorter_than_it_says.spec[:-2880])


def another_spectrum(request):
    return Response(another_spectrum.spec)


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (html, "web page"),
        (html_as_fits, "web page"),
        (shorter_than_it_says, "broke off|of 100000 bytes"),
        (whole_header_half_data, "cut off|ends|bytes"),
        (another_spectrum, "holds the spectrum 0406-51869-0375"),
        (lambda _: Response(b""), "empty file"),
        (lambda _: Response(b"not a spectrum at all" * 50), "is no FITS file"),
        (lambda _: Response("", status=404), "is not there"),
        (lambda _: Response("", status=403), "refused by the server: 403"),
        (lambda _: Response("", status=302, headers={"Location": PLACE}), "redirects"),
        (lambda _: Response("", status=302, headers={"Location": "gopher://x/"}), "cannot be asked for"),
    ],
)
def test_what_is_no_spectrum_never_gets_the_name_of_one(httpserver, fetch, spec, tmp_path, answer, match):
    shorter_than_it_says.spec = spec
    other = tmp_path / "other.fits"
    write_spec(other, catalogue=specobj(FIBERID=375))
    another_spectrum.spec = other.read_bytes()
    httpserver.expect_request(PLACE).respond_with_handler(answer)
    for run in ("103", "104"):
        httpserver.expect_request(PLACE.replace("/26/", f"/{run}/")).respond_with_data("", status=404)
    with pytest.raises(agnsal.AgnsalError, match=match) as refusal:
        fetch()
    assert "1 of 1 spectra could not be had" in str(refusal.value)
    assert left_in(fetch.folder) == []
    with pytest.warns(agnsal.AgnsalWarning, match="could not be had"):
        manifest = fetch(on_error="skip")
    assert manifest["status"].tolist() == ["failed"]
    assert manifest["message"][0]
    httpserver.clear()
    httpserver.expect_request(PLACE).respond_with_data(spec)
    assert fetch()["status"].tolist() == ["fetched"], "a failure is tried again"


def test_a_redirect_to_the_file_is_followed(httpserver, fetch, spec):
    httpserver.expect_request(PLACE).respond_with_data("", status=302, headers={"Location": "/moved.fits"})
    httpserver.expect_request("/moved.fits").respond_with_data(spec)
    assert fetch()["status"].tolist() == ["fetched"]


def test_one_that_fails_does_not_stop_the_others(httpserver, fetch, spec):
    httpserver.expect_request(PLACE).respond_with_data(spec)
    table = Table({"plate": [407, 406], "mjd": [51869] * 2, "fiber": [374] * 2})
    with pytest.raises(agnsal.AgnsalError, match=r"1 of 2 spectra.*on_error='skip'"):
        fetch(table)
    assert left_in(fetch.folder) == ["spec-0406-51869-0374.fits"]


def test_a_transfer_that_breaks_off_goes_on_where_it_was(httpserver, fetch, spec):
    asked = []

    def answer(request: Request) -> Response:
        asked.append(request.headers.get("Range"))
        if len(asked) == 1:
            return cut_off(spec[:10000], len(spec), ETag='"1"')
        assert request.headers["If-Range"] == '"1"'
        start = int(asked[-1].removeprefix("bytes=").rstrip("-"))
        sent = {"Content-Range": f"bytes {start}-{len(spec) - 1}/{len(spec)}", "ETag": '"1"'}
        return Response(spec[start:], status=206, headers=sent)

    httpserver.expect_request(PLACE).respond_with_handler(answer)
    assert fetch()["sha256"].tolist() == [hashlib.sha256(spec).hexdigest()]
    assert asked[0] is None
    assert asked[1].startswith("bytes=")


def test_parts_of_two_versions_are_never_put_together(httpserver, fetch, spec):
    """Without a strong ETag, or when the file has changed in between, it starts again."""
    asked = []

    def answer(request: Request) -> Response:
        asked.append(request.headers.get("Range"))
        if len(asked) == 1:
            return cut_off(b"?" * 10000, len(spec), ETag='W/"1"')
        return Response(spec)

    httpserver.expect_request(PLACE).respond_with_handler(answer)
    assert fetch()["sha256"].tolist() == [hashlib.sha256(spec).hexdigest()]
    assert asked == [None, None]


def test_a_silent_server_and_one_that_drips(httpserver, fetch):
    release = threading.Event()
    httpserver.expect_request(PLACE).respond_with_handler(
        lambda _: (release.wait(3) and Response(b"")) or Response(b"")
    )
    try:
        with pytest.raises(agnsal.AgnsalError, match="does not answer"):
            fetch(timeout=0.2, attempts=1)
    finally:
        release.set()
    httpserver.clear()

    def dripping():
        while not release.wait(0.05):
            yield b"x"

    release.clear()
    httpserver.expect_request(PLACE).respond_with_handler(lambda _: Response(dripping()))
    try:
        with pytest.raises(agnsal.AgnsalError, match="too slow"):
            fetch(timeout=0.3, attempts=1)
    finally:
        release.set()


def test_a_server_that_is_not_there(fetch):
    with pytest.raises(agnsal.AgnsalError, match="does not answer"):
        fetch(base_url="http://127.0.0.1:9", attempts=1)


def test_files_over_the_bound_are_refused(httpserver, fetch, spec):
    httpserver.expect_request(PLACE).respond_with_data(spec)
    with pytest.raises(agnsal.AgnsalError, match="max_bytes=1000"):
        fetch(max_bytes=1000)


def test_a_packed_answer_is_the_file_it_packs(httpserver, fetch, spec):
    packed = Response(gzip.compress(spec), headers={"Content-Encoding": "gzip"})
    httpserver.expect_request(PLACE).respond_with_response(packed)
    assert fetch()["sha256"].tolist() == [hashlib.sha256(spec).hexdigest()]


def test_an_interruption_leaves_a_manifest_and_is_gone_on_with(httpserver, fetch, spec, monkeypatch):
    httpserver.expect_request(PLACE).respond_with_data(spec)
    noted = fetching.Manifest.note

    def interrupted(self, *outcome):
        noted(self, *outcome)
        raise KeyboardInterrupt

    monkeypatch.setattr(fetching.Manifest, "note", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch()
    monkeypatch.setattr(fetching.Manifest, "note", noted)
    httpserver.clear()
    assert fetch()["status"].tolist() == ["kept"]


def test_a_certificate_that_is_not_accepted_is_an_error(monkeypatch, fetch):
    from requests import Session, exceptions

    def refused(self, *_, **__):
        raise exceptions.SSLError("certificate verify failed: self-signed certificate")

    monkeypatch.setattr(Session, "request", refused)
    with pytest.raises(agnsal.AgnsalError, match=r"certificate of the server is not accepted.*self-signed"):
        fetch(base_url="https://127.0.0.1:9")


def test_a_redirect_may_not_leave_https(monkeypatch, fetch):
    from requests import Response as Answer
    from requests import Session

    def redirected(self, method, address, **_):
        answer = Answer()
        answer.status_code, answer.url, answer.raw = 200, address.replace("https", "http"), None
        return answer

    monkeypatch.setattr(Session, "request", redirected)
    monkeypatch.setattr(Answer, "close", lambda _: None)
    with pytest.raises(agnsal.AgnsalError, match="without encryption"):
        fetch(base_url="https://127.0.0.1:9")


def test_without_requests_it_says_what_to_install(monkeypatch, fetch):
    monkeypatch.setitem(__import__("sys").modules, "requests", None)
    with pytest.raises(agnsal.AgnsalError, match=r"agnsal\[archives\]"):
        fetch()


def test_a_manifest_of_somebody_else_is_not_overwritten(fetch):
    fetch.folder.mkdir()
    (fetch.folder / "manifest.ecsv").write_text("a,b\n1,2\n")
    with pytest.raises(agnsal.AgnsalError, match="no manifest of agnsal"):
        fetch()
    assert (fetch.folder / "manifest.ecsv").read_text() == "a,b\n1,2\n"


# ------------------------------------------------------------------------------------------------------------ DESI

COADD = "/dr1/spectro/redux/iron/healpix/main/dark/100/10016/coadd-main-dark-10016.fits"


def desi_table(targets):
    n = len(targets)
    return Table({"targetid": targets, "survey": ["main"] * n, "program": ["dark"] * n, "healpix": [10016] * n})


def in_parts(content, asked):
    """A handler that sends parts of a file, as Apache does."""

    def answer(request: Request) -> Response:
        start, stop = map(int, request.headers["Range"].removeprefix("bytes=").split("-"))
        part = content[start : stop + 1]
        asked.append(len(part))
        sent = {"Content-Range": f"bytes {start}-{start + len(part) - 1}/{len(content)}"}
        return Response(part, status=206, headers=sent)

    return answer


@pytest.mark.parametrize("parts", [True, False], ids=["rows only", "whole coadd"])
def test_an_object_is_cut_out_of_its_coadd(httpserver, fetch, tmp_path, parts):
    path = tmp_path / "coadd.fits"
    write_desi(path, n_targets=5, redshifts=False)
    spectra = agnsal.read_spectra(path)
    targets = [int(spectrum.meta["object_id"]) for spectrum in spectra]
    content, asked = path.read_bytes(), []
    if parts:
        httpserver.expect_request(COADD).respond_with_handler(in_parts(content, asked))
    else:
        httpserver.expect_request(COADD).respond_with_data(content)
    manifest = fetch(desi_table([targets[2], targets[0]]), "desi")
    assert manifest["status"].tolist() == ["fetched"] * 2
    for file, original in zip(manifest["file"], (spectra[2], spectra[0]), strict=True):
        (cut,) = agnsal.read_spectra(fetch.folder / file)
        assert_array_equal(cut.flux.value, original.flux.value)
        assert_array_equal(cut.spectral_axis.value, original.spectral_axis.value)
        assert_array_equal(cut.uncertainty.array, original.uncertainty.array)
        assert cut.meta["object_id"] == original.meta["object_id"]
    assert left_in(fetch.folder) == sorted(manifest["file"])
    for file in manifest["file"]:
        (fetch.folder / file).unlink()
    assert fetch(desi_table([targets[2], targets[0]]), "desi")["sha256"].tolist() == manifest["sha256"].tolist()


def test_an_object_that_its_coadd_does_not_hold(httpserver, fetch, tmp_path):
    path = tmp_path / "coadd.fits"
    write_desi(path, redshifts=False)
    target = int(agnsal.read_spectra(path)[0].meta["object_id"])
    httpserver.expect_request(COADD).respond_with_handler(in_parts(path.read_bytes(), []))
    with pytest.warns(agnsal.AgnsalWarning, match="0 rows of the object 99"):
        manifest = fetch(desi_table([99, target]), "desi", on_error="skip")
    assert manifest["status"].tolist() == ["failed", "fetched"]


@pytest.mark.parametrize(
    "content", [b"no fits", b"SIMPLE  =                    T" + b" " * 2850], ids=["text", "header"]
)
def test_a_coadd_that_is_none(httpserver, fetch, content):
    httpserver.expect_request(COADD).respond_with_data(content)
    with pytest.raises(agnsal.AgnsalError, match="no coadd of DESI"):
        fetch(desi_table([1]), "desi")
    assert left_in(fetch.folder) == []


# ---------------------------------------------------------------------------------------------------------- SPARCL

IDS = [str(uuid.UUID(int=number)) for number in (1, 2)]
WAVELENGTH = np.linspace(3600, 9800, 2000)


def record(name, **more):
    given = {
        "sparcl_id": name,
        "wavelength": WAVELENGTH.tolist(),
        "flux": (1 + np.sin(WAVELENGTH)).tolist(),
        "ivar": np.ones(2000).tolist(),
        "redshift": 0.3,
        "data_release": "SDSS-DR17",
        "ra": 10.0,
        "dec": -1.0,
        "specid": 12,
    }
    return given | more


def test_sparcl_answers_in_json(httpserver, fetch):
    def answer(request: Request) -> Response:
        assert request.args["format"] == "json"
        assert "pkl" not in request.url
        assert sorted(request.json) == IDS
        return Response(json.dumps([{"status": {"success": True}}, *(record(name) for name in IDS)]))

    httpserver.expect_request("/sparc/spectra/", method="POST").respond_with_handler(answer)
    manifest = fetch(Table({"sparcl_id": IDS}), "sparcl")
    assert manifest["status"].tolist() == ["fetched"] * 2
    (spectrum,) = agnsal.read_spectra(fetch.folder / manifest["file"][0])
    assert_allclose(spectrum.spectral_axis.value, WAVELENGTH, rtol=1e-12)
    assert_allclose(spectrum.flux.to_value("1e-17 erg / (s cm2 Angstrom)"), 1 + np.sin(WAVELENGTH), rtol=1e-12)
    assert_allclose(spectrum.meta["redshift"], 0.3)
    assert spectrum.meta["assumed"] == []


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        ([{}, record(IDS[0], flux=[1.0])], "2000 wavelengths, 1 fluxes"),
        ([{}, record(IDS[0], ivar=None)], "without an array ivar"),
        ([{}, record(IDS[0], wavelength=["x"] * 2000)], "without an array wavelength"),
        ([{}], "holds no spectrum"),
        ({"errorMessage": "bad <script>"}, "did not answer with a list"),
        (b"\x80\x04cos\nsystem\n", "did not answer with a list"),
        (b"[[[[" * 100_000, "did not answer with a list"),
    ],
)
def test_answers_of_sparcl_that_are_no_spectra(httpserver, fetch, answer, match):
    body = answer if isinstance(answer, bytes) else json.dumps(answer)
    httpserver.expect_request("/sparc/spectra/").respond_with_data(body)
    with pytest.raises(agnsal.AgnsalError, match=match):
        fetch(Table({"sparcl_id": IDS[:1]}), "sparcl")
    assert left_in(fetch.folder) == []


# ------------------------------------------------------------------------------------------------------ catalogues


def votable(table, status="OK", message="", after=""):
    from io import BytesIO

    from astropy.io.votable import from_table
    from astropy.io.votable.tree import Info

    document = from_table(table)
    info = Info(name="QUERY_STATUS", value=status)
    info.content = message
    document.resources[0].infos.append(info)
    if after:
        document.resources[0].infos.append(Info(name="QUERY_STATUS", value=after))
    written = BytesIO()
    document.to_xml(written)
    return written.getvalue()


TABLES = Table({"table_name": ["J/MNRAS/427/1266/table1"], "description": ["Seyferts"]})
ROWS = Table({"Plate": [266, 267], "MJD": [51630, 51608], "Fiber": [3, 4], "z": [0.05, 0.06]})


@pytest.fixture
def vizier(httpserver, tmp_path, monkeypatch):
    """A TAP service of one catalogue; `answers` may be changed."""
    monkeypatch.setattr(connection.time, "sleep", lambda _: None)
    answers = {"tables": votable(TABLES), "rows": votable(ROWS), "queries": []}

    def answer(request: Request) -> Response:
        answers["queries"].append(request.form["QUERY"])
        return Response(answers["tables" if "tap_schema" in request.form["QUERY"] else "rows"])

    httpserver.expect_request("/sync", method="POST").respond_with_handler(answer)

    def call(name="vaona2012", **options):
        return agnsal.fetch_catalogue(name, base_url=httpserver.url_for(""), **options)

    call.answers = answers
    return call


def test_a_catalogue_of_vizier(vizier, tmp_path):
    table = vizier(folder=tmp_path / "catalogues", columns={"plate": "Plate", "mjd": "MJD", "fiber": "Fiber"})
    assert isinstance(table, QTable)
    assert table.colnames == ["plate", "mjd", "fiber"]
    assert table["plate"].tolist() == [266, 267]
    asked = len(vizier.answers["queries"])
    again = vizier(folder=tmp_path / "catalogues")
    assert again["z"].tolist() == [0.05, 0.06]
    assert "J/MNRAS/427/1266/table1" in again.meta["query"]
    assert len(vizier.answers["queries"]) == asked, "what is kept is not asked for again"


@pytest.mark.parametrize(
    ("name", "answers", "options", "match"),
    [
        ("vaona2012", {"rows": votable(ROWS[:0])}, {}, "without a row"),
        ("vaona2012", {"rows": votable(ROWS, "ERROR", "too many queries")}, {}, "refuses.*too many queries"),
        ("vaona2012", {"rows": votable(ROWS, after="OVERFLOW")}, {"max_rows": 2}, "more than max_rows=2"),
        ("vaona2012", {"rows": b"<html>oh no</html>"}, {}, "web page"),
        ("vaona2012", {"rows": b"<?xml version='1.0'?><VOTABLE"}, {}, "no VOTable"),
        ("vaona2012", {"tables": votable(TABLES[:0])}, {}, "has no catalogue"),
        ("vaona2012", {}, {"table": "table9"}, "has no table.*table9"),
        ("vaona2012", {}, {"columns": ["nope"]}, "no column 'nope'; it has Plate, MJD"),
        ("nonsense", {}, {}, "is no catalogue: 'vaona2012', 'marziani2013', 'desi-agn'"),
        ("J/X/1' OR '1'='1", {}, {}, "is no catalogue"),
        ("desi-agn", {}, {}, "say folder="),
    ],
)
def test_catalogues_that_cannot_be_had(vizier, name, answers, options, match):
    vizier.answers.update(answers)
    with pytest.raises(agnsal.AgnsalError, match=match):
        vizier(name, **options)


def test_of_several_tables_one_is_chosen(vizier):
    both = Table(
        {"table_name": ["J/MNRAS/427/1266/a", "J/MNRAS/427/1266/b"], "description": ["Seyferts", "references"]}
    )
    vizier.answers["tables"] = votable(both)
    with pytest.raises(agnsal.AgnsalError, match="choose one") as refusal:
        vizier()
    assert "table='J/MNRAS/427/1266/a': Seyferts" in str(refusal.value)
    assert len(vizier(table="J/MNRAS/427/1266/a")) == len(vizier(table="b")) == 2


def test_the_agn_of_desi_are_one_file_that_is_gone_on_with(httpserver, tmp_path, monkeypatch):
    monkeypatch.setattr(connection.time, "sleep", lambda _: None)
    rows = Table({"TARGETID": [1, 2], "SURVEY": ["main"] * 2, "PROGRAM": ["dark"] * 2, "HEALPIX": [3, 4]})
    for name in ("TARGET_RA", "TARGET_DEC", "Z", "ZERR", "ZWARN", "AGN_MASKBITS", "OPT_UV_TYPE", "IR_TYPE"):
        rows[name] = [1, 2]
    rows["SPECTYPE"], rows["FLUX_W1"] = ["QSO"] * 2, [1.0, 2.0]
    rows.write(tmp_path / "original.fits")
    content, asked = (tmp_path / "original.fits").read_bytes(), []

    def answer(request: Request) -> Response:
        asked.append(request.headers.get("Range"))
        if len(asked) == 1:
            return cut_off(content[:6000], len(content), ETag='"7"')
        start = int(asked[-1].removeprefix("bytes=").rstrip("-"))
        sent = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}", "ETag": '"7"'}
        return Response(content[start:], status=206, headers=sent)

    httpserver.expect_request("/dr1/vac/dr1/agngal/v1.0/agngal_desi.fits").respond_with_handler(answer)
    folder, options = tmp_path / "desi", {"base_url": httpserver.url_for(""), "attempts": 1}
    with pytest.raises(agnsal.AgnsalError, match="what came is kept"):
        agnsal.fetch_catalogue("desi-agn", folder, **options)
    assert not (folder / "agngal_desi.fits").exists()
    table = agnsal.fetch_catalogue("desi-agn", folder, **options)
    assert asked[1].startswith("bytes="), "a second call goes on"
    assert table["HEALPIX"].tolist() == [3, 4]
    assert "FLUX_W1" not in table.colnames
    assert agnsal.fetch_catalogue("desi-agn", folder, columns=["FLUX_W1"], **options)["FLUX_W1"].tolist() == [1, 2]
    assert len(asked) == 2
    assert [path.name for path in folder.iterdir()] == ["agngal_desi.fits"]


def test_the_sample_of_the_paper_is_fetched(vizier, httpserver, spec, tmp_path, repository, monkeypatch, capsys):
    """The example, from catalogues with names of their own to a catalogue of files."""
    monkeypatch.syspath_prepend(str(repository / "examples"))
    import paper_sample

    listed = [f"J/{name}/t" for name in ("MNRAS/427/1266", "A+A/555/A89")]
    vizier.answers["tables"] = votable(Table({"table_name": listed, "description": ["a", "b"]}))
    vizier.answers["rows"] = votable(Table({"Plate": [406, 407], "MJD": [51869] * 2, "Fib": [374] * 2}))
    httpserver.expect_request(PLACE).respond_with_data(spec)
    here = httpserver.url_for("")
    arguments = [str(tmp_path / "paper"), "--vizier", here, "--sdss", here, "--fetch-only", "--quiet"]
    tables = ["--type-1", "t", "--type-2", "t", "--intermediate", "t"]
    with pytest.raises(SystemExit, match="columns="):
        paper_sample.main([*arguments, *tables])
    with pytest.warns(agnsal.AgnsalWarning, match="1 of 2 spectra"):
        paper_sample.main([*arguments, *tables, "--columns", "fiber=Fib"])
    catalogue = QTable.read(tmp_path / "paper" / "catalogue.ecsv")
    assert catalogue["label"].tolist() == ["type 1", "type 2", "intermediate"]
    assert "type 1: 1 of 2 spectra" in capsys.readouterr().out


# ---------------------------------------------------------------------------------------------------- real files


def test_real_spectra_through_a_server(httpserver, fetch, real_spectra):
    files = sorted(real_spectra.glob("*/spec-[0-9]*.fits"))
    known = {tuple(map(int, path.stem.split("-")[1:4])): path for path in files if len(path.stem.split("-")) == 4}
    chosen = list(known)[:12]

    def answer(request: Request) -> Response:
        name = request.path.rsplit("/", 1)[1]
        return Response(known[tuple(map(int, name[5:-5].split("-")))].read_bytes())

    httpserver.expect_request(re.compile("/dr17/.*")).respond_with_handler(answer)
    table = Table(rows=chosen, names=["plate", "mjd", "fiber"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", agnsal.AgnsalWarning)
        manifest = fetch(table, on_error="skip")
    failed = [row for row in manifest if row["status"] == "failed"]
    assert len(failed) <= 1, [str(row["message"]) for row in failed]


@pytest.mark.skipif(
    "not __import__('os').environ.get('AGNSAL_REMOTE')", reason="AGNSAL_REMOTE=1 asks the real archives"
)
def test_the_real_archives(tmp_path):
    table = Table({"plate": [266], "mjd": [51630], "fiber": [3]})
    assert agnsal.fetch_spectra(table, tmp_path)["status"].tolist() == ["fetched"]
    assert len(agnsal.fetch_catalogue("marziani2013", tmp_path)) > 100
    fits.info(tmp_path / "spec-0266-51630-0003.fits", output=False)
