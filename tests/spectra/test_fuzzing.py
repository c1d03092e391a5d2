"""A short run of the fuzzer, and claims that no file can keep."""

from __future__ import annotations

import gzip
import json
import struct
import subprocess
import sys
import time

import pytest

from agnsal import AgnsalError, read_spectra
from tests.spectra import survey_files as files


def test_mutated_files_are_read_as_what_they_were_or_refused(repository):
    pytest.importorskip("resource")
    command = [sys.executable, "-m", "tests.spectra.fuzzing", "--count", "150", "--seed", "7"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True, timeout=300)
    counts = json.loads(done.stdout)
    assert set(counts) == {"read", "refused"}, counts
    assert sum(counts.values()) == 150
    assert min(counts.values()) > 30  # it neither refuses everything nor believes everything


@pytest.mark.parametrize(
    "claim", ["NAXIS   =           1000000000", "NAXIS1  =           1000000000", "NAXIS1  =                   -7"]
)
def test_claims_beyond_the_size_of_the_file_are_refused_at_once(claim, tmp_path):
    path = files.write_wcs1d(tmp_path / "a.fits")
    content = bytearray(path.read_bytes())
    at = content.index(claim[:8].encode())
    content[at : at + 80] = claim.encode().ljust(80)
    path.write_bytes(content)
    began = time.perf_counter()
    with pytest.raises(AgnsalError, match=r"claims|announced"):
        read_spectra(path)
    assert time.perf_counter() - began < 1


def test_a_table_of_too_many_columns_is_refused_at_once(tmp_path):
    path = files.write_spec(tmp_path / "a.fits")
    content = bytearray(path.read_bytes())
    at = content.index(b"TFIELDS ")
    content[at : at + 80] = b"TFIELDS =            100000000".ljust(80)
    path.write_bytes(content)
    with pytest.raises(AgnsalError, match="claims"):
        read_spectra(path)


def test_what_unpacks_to_too_much_is_refused(tmp_path):
    packed = gzip.compress(b"4000 1\n" * 10)
    (tmp_path / "a.gz").write_bytes(packed[:-4] + struct.pack("<I", 2**31))
    with pytest.raises(AgnsalError, match="gunzip"):
        read_spectra(tmp_path / "a.gz")


def test_a_packed_file_that_is_cut_off_is_refused(tmp_path):
    packed = gzip.compress(files.write_desi(tmp_path / "a.fits").read_bytes(), 1)
    (tmp_path / "b.fits.gz").write_bytes(packed[: len(packed) // 2] + struct.pack("<I", 1000))
    with pytest.raises(AgnsalError, match="cut off"):
        read_spectra(tmp_path / "b.fits.gz")
