"""An event loop whose time is virtual: when nothing can run, time jumps to the next timer.

Nothing waits for the wall, so hours pass in seconds, and nothing outside can get between two steps, so the same
program always runs the same way.
"""

from __future__ import annotations

import asyncio
import heapq
import selectors
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context, copy_context
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualDeadlock(RuntimeError):
    """Every task waits for something that no timer will bring about."""


class _NoWires(selectors.BaseSelector):
    """A selector that looks at no file; waiting means letting virtual time pass."""

    def __init__(self) -> None:
        self.loop: VirtualLoop | None = None
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = selectors.SelectorKey(fileobj, fileobj if isinstance(fileobj, int) else fileobj.fileno(), events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.loop is not None and timeout != 0:
            self.loop.pass_time(timeout)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class _Call(asyncio.Handle):
    """asyncio's handle, made without asking whether somebody looks for slow calls."""

    __slots__ = ()

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], loop: VirtualLoop, context: Context | None
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop, self._callback, self._args = loop, callback, args
        self._cancelled, self._repr, self._source_traceback = False, None, None


class _Timer(asyncio.TimerHandle):
    """The same of a timer."""

    __slots__ = ()

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: VirtualLoop,
        context: Context | None,
    ) -> None:
        self._when, self._scheduled = when, True
        self._context = copy_context() if context is None else context
        self._loop, self._callback, self._args = loop, callback, args
        self._cancelled, self._repr, self._source_traceback = False, None, None

    def __lt__(self, other: asyncio.TimerHandle) -> bool:
        """As asyncio's; all timers of this loop are of this kind."""
        earlier: bool = self._when < other._when  # type: ignore[attr-defined]
        return earlier


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module. No sockets, pipes or signals; work for a thread is done at once, in place.

    What asyncio does around each call (looking for sockets, threads, slow calls) is left out: there are none here, and
    an hour has a hundred thousand calls. The order in which things are called is asyncio's own.
    """

    is_virtual = True

    def __init__(self) -> None:
        self._now_s = 0.0
        wires = _NoWires()
        super().__init__(wires)
        self._clock_resolution = 1e-9
        wires.loop = self

    def time(self) -> float:
        """Virtual time since the loop was made [s]."""
        return self._now_s

    def pass_time(self, timeout: float | None) -> None:
        """Jump to the next timer. Raises VirtualDeadlock when there is none."""
        if timeout is None:
            waiting = sorted(task.get_name() for task in asyncio.all_tasks(self))
            raise VirtualDeadlock(f"nothing will ever happen again; waiting: {', '.join(waiting)}")
        self._now_s = max(self._now_s, self._scheduled[0].when())  # type: ignore[attr-defined]

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """As asyncio's."""
        handle = _Call(callback, args, self, context)
        self._ready.append(handle)  # type: ignore[attr-defined]
        return handle

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As asyncio's."""
        timer = _Timer(when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]
        return timer

    def _run_once(self) -> None:
        """One round: what is ready; when nothing is, what the next timer brings."""
        ready, timers = self._ready, self._scheduled  # type: ignore[attr-defined]
        while timers and timers[0]._cancelled:
            heapq.heappop(timers)._scheduled = False
        if not ready and not self._stopping:  # type: ignore[attr-defined]
            self.pass_time(0.0 if timers else None)
        end_s = self._now_s + self._clock_resolution
        while timers and timers[0]._when < end_s:
            timer = heapq.heappop(timers)
            timer._scheduled = False
            ready.append(timer)
        for _ in range(len(ready)):  # what these call for comes in the next round
            handle = ready.popleft()
            if handle._cancelled:
                continue
            try:
                handle._context.run(handle._callback, *handle._args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001 - asyncio's rule: a call that fails ends no other
                context = {"message": f"a call failed: {handle!r}", "exception": error, "handle": handle}
                self.call_exception_handler(context)

    def run_in_executor(self, _executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        """Run it here and now: a thread's timing would make two runs differ."""
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - handed on to whoever awaits
            done.set_exception(error)
        return done


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine under virtual time from zero, to its end."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        # Not runner.run(): what it does for Ctrl-C writes out the task, with the whole outcome in it, to look at it.
        return runner.get_loop().run_until_complete(main)
