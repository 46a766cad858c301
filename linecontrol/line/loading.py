"""What a part of the line takes up of its history at the start: read once, and asked for again while it is away.

It knows nothing of what is read. Whoever reads has to merge: by then people and the control cycle may have gone on.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable

from linecontrol.core.errors import LineError

log = logging.getLogger(__name__)

PATIENCE_S = 2.0  # with a history that does not answer, before the line is opened without it [real s]
AGAIN_S = 60.0  # between attempts [real s]
SOONEST_S = 5.0  # between attempts that somebody asks for [real s]


class Loading:
    """Belongs to the line's loop. An attempt is never broken off and never doubled: one that takes long goes on beside
    the line, because each that hangs holds a thread.

    Args:
        read: asks the history, then takes over what it has said without waiting for anything more. It may raise, and is
            then called again.
        is_done: there is nothing to read.
    """

    def __init__(self, read: Callable[[], Awaitable[None]], *, is_done: bool = False) -> None:
        self._read = read
        self.is_done = is_done
        self._task: asyncio.Task[None] | None = None
        self._again: asyncio.TimerHandle | None = None
        self._soonest = -math.inf

    async def load(self) -> None:
        """Read, unless that has been done. Waits two seconds at most: no start hangs on a database."""
        self.look()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=PATIENCE_S)

    def look(self) -> None:
        """See in the background whether what could not be read can be now; every five seconds at most."""
        if asyncio.get_running_loop().time() >= self._soonest:
            self._begin()

    def close(self) -> None:
        """The line ends."""
        for waiting in (self._task, self._again):
            if waiting is not None:
                waiting.cancel()

    def _begin(self) -> None:
        if self.is_done or (self._task is not None and not self._task.done()):
            return
        if self._again is not None:
            self._again.cancel()
        loop = asyncio.get_running_loop()
        self._soonest = loop.time() + SOONEST_S
        self._task = loop.create_task(self._try())

    async def _try(self) -> None:
        try:
            await self._read()
        except LineError:
            pass  # the history itself tells that it is away
        except Exception:  # the task's top edge: no old record keeps a line from starting
            log.exception("%s failed; it is tried again in %g s", getattr(self._read, "__qualname__", "?"), AGAIN_S)
        else:
            self.is_done = True
            return
        self._again = asyncio.get_running_loop().call_later(AGAIN_S, self._begin)
