"""Files that are replaced whole or not at all."""

from __future__ import annotations

import os
import re
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from agnsal.errors import AgnsalError

try:
    import fcntl
except ImportError:  # where there are no locks, what a killed writer leaves stays
    fcntl = None  # type: ignore[assignment]

#: An ending longer than this is part of the name, and the name of the side file does without it.
_LONGEST_ENDING = 16
_LOCK = re.compile(r"\.[0-9a-f]{32}\.lock")


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
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        text = ""
    if not text or "\0" in text:
        raise AgnsalError(f"{path!r:.80} names no file.")
    return Path(text)


def made_folder(path: Any) -> Path:
    """A folder that is made where it is not there.

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
        If it is empty or no path, or the operating system refuses.

    Examples
    --------
    >>> import tempfile
    >>> made_folder(Path(tempfile.mkdtemp()) / "a" / "b").is_dir()
    True
    """
    folder = checked_path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AgnsalError(f"{folder}: this folder cannot be made ({error.strerror or error}).") from error
    return folder


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Write a file beside its place and move it there once it is whole.

    Whatever happens on the way, a full disk or the end of the process, the old file stays as it was. Every writer has
    a side file of its own, hidden and named by 32 hexadecimal digits, which is removed when the block fails. Only a
    killed process leaves one. Each side file has a lock beside it (``.lock``), which the system opens when its writer
    ends in whatever way; before a process first writes into a folder, it removes the side files there whose lock is
    open.

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
        _remove_abandoned(target.parent)
        with _locked(target.parent) as name:
            side = target.with_name(f"{name}{ending}")
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


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep out whoever else asks to be alone in a folder, where the system has locks.

    Parameters
    ----------
    folder : Path
        That is there.

    Examples
    --------
    >>> import tempfile
    >>> with alone(Path(tempfile.mkdtemp())):
    ...     pass
    """
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        _hold(handle, wait=True)
        yield
    finally:
        os.close(handle)


@contextmanager
def _locked(folder: Path) -> Iterator[str]:
    """A hidden name that nobody else has in a folder, with a lock that is held as long as the process lives."""
    while True:
        lock = folder / f".{uuid.uuid4().hex}.lock"
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            if not _hold(handle, wait=True) or lock.exists():  # else it was taken for abandoned before it was held
                yield lock.stem
                return
        finally:
            lock.unlink(missing_ok=True)
            os.close(handle)


def _hold(handle: int, wait: bool) -> bool:
    """Whether the lock of an open file is now ours; False also where the file system has none."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


@cache
def _remove_abandoned(folder: Path) -> None:
    """Remove side files whose writers have ended: once a process and folder, for a folder may be large."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:  # a folder that may be written but not read
        return
    for name in filter(_LOCK.fullmatch, names):
        with suppress(OSError):  # somebody else's, or removed by somebody else just now
            handle = os.open(folder / name, os.O_RDWR)
            try:
                if _hold(handle, wait=False):
                    for left in folder.glob(f"{name.removesuffix('.lock')}*"):
                        if left.name != name:
                            left.unlink(missing_ok=True)
                    (folder / name).unlink(missing_ok=True)
            finally:
                os.close(handle)


def _to_disk(path: Path) -> None:
    """Wait until the system has put the file on the disk, so that it is whole even after a loss of power."""
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
