"""How a demo starts its run on a computer that is busy with other things."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from linecontrol.cli import demo
from linecontrol.core.errors import StateError


class Runs:
    """Refuses to start until nothing is latched."""

    def __init__(self, interlocks: Interlocks) -> None:
        self.asked, self._interlocks = 0, interlocks

    async def start(self, *_: Any, **__: Any) -> dict[str, str]:
        self.asked += 1
        if self._interlocks.latched:
            raise StateError(f"{self._interlocks.latched[0]} not met")
        return {"run_id": "r-1"}


class Interlocks:
    """Those that are latched; a reading is good again after some looks."""

    def __init__(self, latched: list[str], looks: float) -> None:
        self.latched, self._looks = latched, looks

    def rows(self) -> list[dict[str, Any]]:
        self._looks -= 1
        return [{"name": name, "can_reset": self._looks < 0} for name in self.latched]

    async def reset(self, name: str, who: str, reason: str) -> None:
        assert who == "operator:demo"
        assert reason
        self.latched.remove(name)


def line(latched: list[str], looks: float, seconds: list[float]) -> Any:
    interlocks = Interlocks(latched, looks)
    clock = SimpleNamespace(real=lambda: seconds.pop(0) if len(seconds) > 1 else seconds[0])
    return SimpleNamespace(interlocks=interlocks, runs=Runs(interlocks), clock=clock)


async def test_what_a_late_reading_has_latched_is_reset_when_it_may_be_and_the_run_starts() -> None:
    busy = line(["IL-309"], 2, [0.0])
    assert await demo._started(busy, "recipe", {}, "lot", asyncio.Event()) == "r-1"
    assert busy.runs.asked == 4
    assert busy.interlocks.latched == []


async def test_what_stays_is_told_in_the_end() -> None:
    sick = line(["IL-309"], float("inf"), [0.0, 1.0, 1.0 + demo.LATE_READING_S])
    with pytest.raises(StateError, match="IL-309 not met"):
        await demo._started(sick, "recipe", {}, "lot", asyncio.Event())
    assert sick.runs.asked == 2


async def test_told_to_stop_it_does_not_try_again() -> None:
    sick, stop = line(["IL-309"], float("inf"), [0.0]), asyncio.Event()
    stop.set()
    with pytest.raises(StateError):
        await demo._started(sick, "recipe", {}, "lot", stop)
    assert sick.runs.asked == 1
