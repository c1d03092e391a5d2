"""Checksums of FITS files (section 4.4.2.7 of the standard, version 4): are the data what was written?

The sums are those of the bytes in the file, taken of the extensions that were read only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy.io import fits

from agnsal.errors import AgnsalError


def checksum(content: bytes) -> int:
    """The sum of the 32-bit words of some bytes in ones' complement; zeros that pad a block do not change it.

    Examples
    --------
    >>> checksum(bytes([255, 255, 255, 255, 0, 0, 0, 2]))
    2
    """
    words = np.frombuffer(content + bytes(-len(content) % 4), ">u4")
    total = int(words.sum(dtype=np.uint64))
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total


def check_data(content: bytes, written: Any, name: str) -> None:
    """Refuse data whose sum is not the one written in DATASUM; a card that holds no number says nothing."""
    text = str(written).strip()
    # 0 and all ones are both zero in ones' complement
    if text.isdigit() and (checksum(content) - int(text)) % 0xFFFFFFFF:
        raise AgnsalError(
            f"its extension {name} is damaged: the sum of its data is not the one written in it (DATASUM). Fetch the "
            "file again; if its data were changed on purpose, write it with checksum=True."
        )


def check_read(hdulist: fits.HDUList) -> tuple[str, ...]:
    """Check every extension of which data have been read, and the first header, where they have sums.

    Returns
    -------
    tuple of str
        The extensions whose header is not the one that was written (CHECKSUM): edited, or damaged.

    Raises
    ------
    AgnsalError
        If the data of one are not what was written (DATASUM).
    """
    read = [(hdu, hdu.name or str(n)) for n, hdu in enumerate(_opened(hdulist)) if n == 0 or "data" in vars(hdu)]
    return tuple(name for hdu, name in read if is_edited(hdu, name))


def is_edited(hdu: Any, name: str) -> bool:
    """Check one extension as `check_read` does; whether its header is not the one that was written."""
    header, place = hdu.header, hdu.fileinfo()
    if isinstance(hdu, fits.CompImageHDU) or not {"DATASUM", "CHECKSUM"} & set(header) or place is None:
        return False
    if "IRAF-TLM" in header or "IRAF" in str(header.get("ORIGIN", "")):
        return False  # IRAF takes the cards of its input along, whatever it does to the data
    place["file"].seek(place["hdrLoc"])
    whole = place["file"].read(place["datLoc"] + place["datSpan"] - place["hdrLoc"])
    if "DATASUM" in header:
        check_data(whole[place["datLoc"] - place["hdrLoc"] :], header["DATASUM"], name)
    return bool(str(header.get("CHECKSUM", "")).strip()) and checksum(whole) % 0xFFFFFFFF != 0


def _opened(hdulist: fits.HDUList) -> list[Any]:
    """The extensions looked at so far: going through the list would read the headers of all others."""
    return list.__getitem__(hdulist, slice(None))
