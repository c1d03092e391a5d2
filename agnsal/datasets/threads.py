"""Linear algebra in one thread, so that every process finds the same digits and cores are not oversubscribed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from threadpoolctl import threadpool_limits

_lock = Lock()
_inside: list[threadpool_limits] = []


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep linear algebra to one thread.

    The bound is one of the process, whatever thread asks for it: the first of our threads that comes in sets it, the
    last that goes out takes it off, so that none of them runs without it.

    Examples
    --------
    >>> import numpy as np
    >>> from threadpoolctl import threadpool_info
    >>> with one_thread():
    ...     {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}
    {1}
    """
    with _lock:
        _inside.append(threadpool_limits(1) if not _inside else _inside[0])
    try:
        yield
    finally:
        with _lock:
            bound = _inside.pop()
            if not _inside:
                bound.restore_original_limits()
