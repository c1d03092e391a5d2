"""Files that are replaced whole or not at all."""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agnsal.errors import AgnsalError

#: An ending longer than this is part of the name, and the name of the side file does without it.
_LONGEST_ENDING = 16


def checked_path(path: Any) -> Path:
    """A path that names a file.

    Parameters
    ----------
    path : path
        Text, bytes or anything with ``__fspath__``.

    Returns
    -------
    Path

    Raises
    ------
    AgnsalError
        If it is empty or no path.

    Examples
    --------
    >>> checked_path("a.npz").name
    'a.npz'
    """
    try:
        text = os.fsdecode(path)
    except TypeError as error:
        raise AgnsalError(f"the name of a file was expected, got {path!r:.80}.") from error
    if not text or "\0" in text:
        raise AgnsalError(f"{text!r} names no file.")
    return Path(text)


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Write a file beside its place and move it there once it is whole.

    Whatever happens on the way, a full disk or the end of the process, the old file stays as it was. Every writer has
    a side file of its own, which is removed when the block fails (only a killed process leaves one: hidden, with a
    name of 32 hexadecimal digits).

    Parameters
    ----------
    path : path
        Where the file belongs. A link is followed; the mode of an old file is kept.

    Yields
    ------
    Path
        Where to write, with the ending of `path`.

    Raises
    ------
    AgnsalError
        If the folder is missing, the place is taken by what is no regular file, or the operating system refuses.

    Examples
    --------
    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with replacing(place) as side:
    ...     _ = side.write_text("whole")
    >>> place.read_text()
    'whole'
    """
    place = checked_path(path)
    try:
        target = Path(os.path.realpath(place))
        if not target.parent.is_dir():
            raise AgnsalError(f"{place}: there is no folder {target.parent}; make it first.")
        mode = target.stat().st_mode if target.exists() else None
        if mode is not None and not stat.S_ISREG(mode):
            raise AgnsalError(f"{place}: is no regular file and is not replaced; choose another name.")
        ending = target.suffix if len(target.suffix) <= _LONGEST_ENDING else ""
        side = target.with_name(f".{uuid.uuid4().hex}{ending}")
        try:
            yield side
            _to_disk(side)
            if mode is not None:
                side.chmod(stat.S_IMODE(mode))
            side.replace(target)
        finally:
            side.unlink(missing_ok=True)
    except OSError as error:
        raise AgnsalError(f"{place}: cannot be written ({error.strerror or error}).") from error


def _to_disk(path: Path) -> None:
    """Wait until the system has put the file on the disk, so that it is whole even after a loss of power."""
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
