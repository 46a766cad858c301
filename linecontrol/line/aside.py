"""Slow arithmetic in a process of its own, so that no scan waits for it. One process per question; it then ends.

In a thread it would hold the interpreter for tenths of a second. Under virtual time it is done in place: there nothing
waits, and a process's timing would make two runs differ. Question and answer are pickles of this program only.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import sys
from collections.abc import Callable
from typing import Any, TypeVar, cast

from linecontrol.core.errors import LineError

T = TypeVar("T")

_NICENESS = 10
_LONGEST_S = 120.0  # of real time: a fit takes a second or two


async def aside(work: Callable[..., T], *args: Any, **named: Any) -> T:
    """``work(*args, **named)``; all of it must be picklable. Raises LineError when the process does not bring it."""
    if getattr(asyncio.get_running_loop(), "is_virtual", False):
        return work(*args, **named)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "linecontrol.line.aside"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        start_new_session=True,  # Ctrl-C is the controller's business
    )
    try:
        async with asyncio.timeout(_LONGEST_S):
            answer, _ = await process.communicate(pickle.dumps((work, args, named)))
        found = pickle.loads(answer)  # noqa: S301 - our own process
    except (TimeoutError, EOFError, pickle.UnpicklingError, OSError) as error:
        raise LineError(f"the process for {work.__name__} brought no answer: {error!r}") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if isinstance(found, Exception):
        raise LineError(f"{work.__name__} failed: {found!r}")
    return cast(T, found)


def main() -> None:
    """Answer the one question on the standard input."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not get into the answer
    with contextlib.suppress(AttributeError, OSError):  # no such thing on Windows
        os.nice(_NICENESS)
    work, args, named = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 - the controller's
    answer: Any
    try:
        answer = work(*args, **named)
    except Exception as error:  # noqa: BLE001 - the process's top edge: the asker must learn of it
        answer = RuntimeError(f"{type(error).__name__}: {error}")
    answers.write(pickle.dumps(answer))
    answers.close()


if __name__ == "__main__":
    main()
