"""The bridge from the API's thread to the line's: the only way there.

The API lives in a thread with an event loop of its own, so that HTTP, checks and JSON hold up no scan. What belongs to
the line (image, stations, loops, the run) is touched in the line's loop and nowhere else; there are no locks around it.
A request therefore does its work for the line by a function that is handed over here and runs in the line's loop.

Policy under load: the line begins at most one handed-over function each turn of its loop, oldest first; between two of
them its scans and control have their turn. The queue is as long as there are requests under way.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import APIRouter
from fastapi.routing import APIRoute

T = TypeVar("T")
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

_BESIDE = "runs_beside"


class Bridge:
    """Hands work over to the event loop it was made in: make it in the line's."""

    def __init__(self) -> None:
        self._line = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._waiting: deque[Callable[[], None]] = deque()

    async def ask(self, question: Callable[[], T]) -> T:
        """What ``question()`` returns or raises in the line's loop: some 100 us of work, nothing that waits.

        The answer must be the asker's own: values, or what is never changed again.
        """

        async def answer() -> T:
            return question()

        return await self.do(answer)

    async def do(self, work: Callable[[], Awaitable[T]]) -> T:
        """What ``await work()`` returns or raises in the line's loop.

        An asker that goes away changes nothing: what the line has begun, it finishes.
        """
        done: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._hand_over(functools.partial(self._begin, work, done))
        return await asyncio.shield(asyncio.wrap_future(done))

    def across(self, routes: APIRouter) -> APIRouter:
        """The same routes with every endpoint run in the line's loop, but those that are marked ``beside``."""
        for route in routes.routes:
            if isinstance(route, APIRoute) and not getattr(route.endpoint, _BESIDE, False):
                route.endpoint = self._crossing(route.endpoint)
        return routes

    def _crossing(self, endpoint: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @functools.wraps(endpoint)
        async def crossing(*args: Any, **values: Any) -> Any:
            return await self.do(functools.partial(endpoint, *args, **values))

        return crossing

    def _hand_over(self, begin: Callable[[], None]) -> None:
        with self._lock:
            self._waiting.append(begin)
            is_first = len(self._waiting) == 1
        if is_first:
            self._line.call_soon_threadsafe(self._turn)

    # -- in the line's loop
    def _turn(self) -> None:
        try:
            self._waiting[0]()
        finally:  # whatever became of it: the next one must have its turn
            with self._lock:
                self._waiting.popleft()
                is_more = bool(self._waiting)
            if is_more:
                self._line.call_soon(self._turn)

    def _begin(self, work: Callable[[], Awaitable[T]], done: concurrent.futures.Future[T]) -> None:
        begun = _of(work)
        try:
            task = self._line.create_task(begun)
        except BaseException as error:
            begun.close()
            done.set_exception(error)
            raise
        task.add_done_callback(functools.partial(_settle, done))


async def _of(work: Callable[[], Awaitable[T]]) -> T:
    return await work()


def _settle(done: concurrent.futures.Future[T], task: asyncio.Task[T]) -> None:
    """Nothing of this may raise: the asker may be gone, and its loop too."""
    if done.cancelled():
        if not task.cancelled():
            task.exception()  # seen
    elif task.cancelled():
        done.cancel()
    elif (error := task.exception()) is not None:
        done.set_exception(error)
    else:
        done.set_result(task.result())


def beside(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint that runs in the API's thread: it must reach the line by ``ask`` and ``do`` only.

    For answers that take longer to write than to know.
    """
    endpoint.__dict__[_BESIDE] = True
    return endpoint
