"""Answers whose heads must come in time: a time-out of sockets begins again with every byte."""

from __future__ import annotations

import socket
from contextlib import suppress
from functools import cache
from threading import Timer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from requests.adapters import BaseAdapter

_LONGEST = 3600.0  # seconds, where a connection has no time-out


def bound_answers(adapter: BaseAdapter) -> None:
    """Let the connections of an adapter give up a server that has not sent the head of its answer within the time-out.

    Parameters
    ----------
    adapter : requests adapter
        Whose connections are made from now on.
    """
    adapter.poolmanager.pool_classes_by_scheme = _pools()  # type: ignore[attr-defined]


@cache
def _pools() -> dict[str, type]:
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool

    return {"http": _bounded(HTTPConnectionPool), "https": _bounded(HTTPSConnectionPool)}


def _bounded(pool: Any) -> type:
    class Connection(pool.ConnectionCls):
        """A connection whose socket is shut when the head of an answer does not come to an end."""

        def getresponse(self) -> Any:
            late: list[bool] = []

            def give_up() -> None:
                late.append(True)
                with suppress(OSError, AttributeError):
                    self.sock.shutdown(socket.SHUT_RDWR)

            timer = Timer(2 * self.timeout if self.timeout else _LONGEST, give_up)  # silence is noticed before
            timer.daemon = True
            timer.start()
            try:
                answer = super().getresponse()
            except Exception:  # whatever half an answer looks like
                if not late:
                    raise
            finally:
                timer.cancel()
            if late:
                raise TimeoutError("timed out")
            return answer

    class Pool(pool):
        ConnectionCls = Connection

    return Pool
