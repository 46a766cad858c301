"""A deadline around code of others.

``asyncio.timeout`` takes only a plain CancelledError for its own. Libraries raise kinds of it (wait_for2, which asyncua
uses before Python 3.12, does when an answer comes in the very turn of the loop in which its time runs out). Such a one
passes as if the task were being ended, and ends it: without an error, and for good.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def deadline(real_s: float | None) -> AsyncIterator[asyncio.Timeout]:
    """Raises TimeoutError when the block takes longer, or breaks off although nobody has ended the task.

    Args:
        real_s: None = until somebody reschedules the yielded timer.
    """
    task = asyncio.current_task()
    asked = task.cancelling() if task is not None else 0
    try:
        async with asyncio.timeout(real_s) as timer:
            yield timer
    except asyncio.CancelledError as error:
        if task is None or task.cancelling() > asked:
            raise asyncio.CancelledError from error  # the plain kind, which a deadline around this one knows
        raise TimeoutError from error
