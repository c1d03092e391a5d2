"""Memory that a process holds, without the pages of files that Linux keeps at hand for it."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType


def held() -> float:
    """Memory of this process that is no file, in MiB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


class Peak:
    """The most that was held in the body of a ``with`` statement, looked at ten times a second; in `mib`."""

    def __enter__(self) -> Peak:
        self.mib, self._over = held(), threading.Event()
        self._watch = threading.Thread(target=self._look)
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._watch.join()

    def _look(self) -> None:
        while not self._over.wait(0.1):
            self.mib = max(self.mib, held())
