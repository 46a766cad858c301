"""All a phase may touch. The line implements Plant (one per unit procedure); the engine adds what concerns the run.

A phase never sees the image, the gate, a station or the clock: only this. So it runs the same on the real line, in the
twin and in a test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from linecontrol.core.errors import LineError
from linecontrol.core.model import Sample, Value

LoopMode = Literal["MAN", "AUTO", "CAS", "REMOTE"]


class PhaseFailed(LineError):
    """A phase could not do its work. The run goes to Held with this text; it never ends a run by itself."""


class Plant(Protocol):
    """What the line gives to a recipe. All times are line time."""

    def now(self) -> float:
        """Line time [s since 1970, UTC]."""
        ...

    def sample(self, tag: str) -> Sample:
        """The tag as it may be acted on now: BAD when too old. KeyError for an unknown tag."""
        ...

    async def sleep(self, line_s: float) -> None:
        """Wait for ``line_s`` [line s]."""
        ...

    async def wait_until(self, predicate: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Wait until ``predicate()`` is true, asked at least once per scan; False when ``timeout_s`` [line s] passed.

        ``poll_until`` below does it for any Plant.
        """
        ...

    async def set(self, tag: str, value: Value) -> None:
        """Command one tag through the gate. Returns when confirmed; raises PhaseFailed with the refusal otherwise."""
        ...

    async def set_loop(
        self, loop: str, *, mode: LoopMode | None = None, sp: float | None = None, op: float | None = None
    ) -> None:
        """Command a loop through the gate; None = leave as it is. Returns when confirmed; raises PhaseFailed.

        ``op`` comes only with or in mode MAN, ``sp`` only with or in mode AUTO.
        """
        ...


class Equipment(Plant, Protocol):
    """What a phase is given: the plant, and the run it is part of. Implemented by the engine."""

    async def sync(self, point: str) -> None:
        """Arrive at a synchronisation point and wait until every unit procedure that names it has arrived."""
        ...

    def arrived(self, point: str) -> bool:
        """Whether any *other* unit procedure has arrived at this point, now or earlier."""
        ...

    async def prompt(self, text_en: str, text_zh: str) -> str:
        """Ask a person and wait for the answer; returns who answered."""
        ...

    def note(self, text: str) -> None:
        """One line for the run's record."""
        ...

    async def checkpoint(self) -> None:
        """Have the progress recorded now, before something happens that must not happen twice."""
        ...


async def poll_until(
    plant: Plant, predicate: Callable[[], bool], timeout_s: float | None = None, period_s: float = 1.0
) -> bool:
    """Plant.wait_until by asking every ``period_s`` [line s]."""
    deadline = None if timeout_s is None else plant.now() + timeout_s
    while not predicate():
        if deadline is not None and plant.now() >= deadline:
            return False
        await plant.sleep(period_s)
    return True
