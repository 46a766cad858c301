"""Long questions to a history are answered in a process of their own.

In a thread of the controller they would hold the interpreter, and every scan would wait for them. The process is
started by the first question, steps back for everything else on the machine, and ends when its standard input does,
so however the controller ends.

Question and answer are pickles with their length before them; both come from this program only.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import struct
import sys
from collections.abc import Callable
from typing import IO, Any, NamedTuple, TypeVar, cast

from linecontrol.core.errors import LineError, StorageError
from linecontrol.history.reader import HistoryReader

T = TypeVar("T")

_LENGTH = struct.Struct(">I")
_NICENESS = 10
# a process group of its own from the first moment: Ctrl-C is the controller's business
_PROGRAM = "import os; os.setpgid(0, 0); from linecontrol.history.aside import main; main()"
_END_PATIENCE_S = 2.0


class _Child(NamedTuple):
    process: asyncio.subprocess.Process
    questions: asyncio.StreamWriter
    answers: asyncio.StreamReader


class Aside:
    """Asks the history of one line in another process, one question at a time. For use from one event loop."""

    def __init__(self, url: str, line: str) -> None:
        self._place = (url, line)
        self._child: _Child | None = None
        self._is_closed = False
        self._lock = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None  # that it belongs to: the first one's that asked

    async def ask(self, question: Callable[..., T], *args: Any) -> T:
        """``question(reader, *args)``: a function of a module, with arguments and an answer that can be pickled.

        Raises LineError as the question does; StorageError when it fails otherwise, or the process was ended.
        """
        loop = asyncio.get_running_loop()
        self._loop = self._loop or loop
        if loop is not self._loop:
            raise RuntimeError("the history is asked from another event loop than before")
        asked = asyncio.ensure_future(self._ask(pickle.dumps((question, args))))
        asked.add_done_callback(lambda done: done.cancelled() or done.exception())  # seen, if nobody waits any more
        answer = await asyncio.shield(asked)  # who goes away leaves no answer in the pipe for the next
        if isinstance(answer, LineError):
            raise answer
        return answer  # type: ignore[no-any-return]

    async def _ask(self, question: bytes) -> Any:
        async with self._lock:
            if self._is_closed:
                raise StorageError("the historian is not running")
            child = self._child or await self._begin()
            try:
                child.questions.write(_LENGTH.pack(len(question)) + question)
                await child.questions.drain()
                (length,) = _LENGTH.unpack(await child.answers.readexactly(_LENGTH.size))
                return pickle.loads(await child.answers.readexactly(length))  # noqa: S301 - our own process
            except (OSError, asyncio.IncompleteReadError) as error:
                await self._end()
                raise StorageError("the process that reads the history was ended; ask again") from error

    async def _begin(self) -> _Child:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-c", _PROGRAM),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        questions, answers = cast(asyncio.StreamWriter, process.stdin), cast(asyncio.StreamReader, process.stdout)
        self._child = _Child(process, questions, answers)
        place = pickle.dumps(self._place)  # not an argument: a URL may hold a password
        questions.write(_LENGTH.pack(len(place)) + place)
        return self._child

    async def close(self) -> None:
        """End the process, after the question it has in hand."""
        async with self._lock:
            self._is_closed = True
            await self._end()

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.questions.close()
        try:
            async with asyncio.timeout(_END_PATIENCE_S):
                await child.process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                child.process.kill()
            await child.process.wait()


# -- the process


def main() -> None:
    """Answer until the standard input ends."""
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not get among the answers
    _step_back()
    place = _next(questions)
    if place is None:
        return
    reader = HistoryReader(*pickle.loads(place))  # noqa: S301 - the controller's
    while (content := _next(questions)) is not None:
        answer = pickle.dumps(_answer(reader, content))
        try:
            answers.write(_LENGTH.pack(len(answer)) + answer)
            answers.flush()
        except BrokenPipeError:
            os._exit(0)  # the controller is gone


def _step_back() -> None:
    """Be less urgent than the controller, also when that is in a real-time class, but not starve on a busy machine.

    Niceness works within a session: Linux first shares processors out among sessions (autogroups), and in one of its
    own this process would count as much as all of the controller, so it is not given one.
    """
    with contextlib.suppress(OSError):
        if sys.platform == "linux":
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.nice(_NICENESS)


def _next(questions: IO[bytes]) -> bytes | None:
    head = questions.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    return questions.read(_LENGTH.unpack(head)[0])


def _answer(reader: HistoryReader, content: bytes) -> Any:
    try:
        question, args = pickle.loads(content)  # noqa: S301 - the controller's
        return question(reader, *args)
    except LineError as error:
        return error
    except Exception as error:  # noqa: BLE001 - the process's top edge: the asker must learn of it
        return StorageError(f"the history could not be read: {error!r}")
