"""Plant and controller keep together in time; a real simulator, a real pipe."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linecontrol.cli.pace import SLOWEST, Scans, paced, speed_for
from linecontrol.core.clock import WAITS_AFTER_S, Clock

SPEED = 50.0


@given(wanted=st.floats(1.5, 200.0), served=st.floats(0.0, 1.0), better=st.floats(0.0, 1.0))
def test_the_speed_falls_with_what_is_served_and_never_to_nothing(wanted: float, served: float, better: float) -> None:
    low, high = sorted((served, better))
    assert SLOWEST * wanted <= speed_for(wanted, low) <= speed_for(wanted, high) <= wanted
    assert speed_for(wanted, 0.8) == wanted


def test_half_the_scans_is_enough_where_they_lie_close_together() -> None:
    assert speed_for(60.0, 0.5) == 60.0
    assert speed_for(120.0, 0.5) == pytest.approx(75.0)


def stations(scans: int, missed: int) -> list[Any]:
    return [SimpleNamespace(scans=scans, missed=missed)]


def test_scans_are_counted_between_two_looks() -> None:
    counted = stations(10, 90)
    scans = Scans(counted)
    assert scans.served() == 1.0  # none was due
    counted[0].scans, counted[0].missed = 40, 100
    assert scans.served() == pytest.approx(0.75)


async def plant() -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "simulator", "--speed", f"{SPEED:g}", "--paced", "--exit-with-parent"]
    command += [word for name in ("screening", "grinding", "drying") for word in ("--endpoint", f"{name}=0")]
    return await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)


async def times(process: asyncio.subprocess.Process) -> AsyncIterator[tuple[float, float]]:
    assert process.stdout is not None
    async for line in process.stdout:
        if line.startswith(b"TIME "):
            plant_s, real = line.split()[1:]
            yield float(plant_s), float(real)


async def test_a_plant_waits_for_its_controller_and_not_for_ever() -> None:
    process = await plant()
    assert process.stdin is not None
    try:
        async with asyncio.timeout(60):
            told = times(process)
            async for _ in told:
                break
            process.stdin.write(b"pace 50\n")  # once: then nothing is heard of the controller
            await process.stdin.drain()
            before = (0.0, 0.0)
            gaps = []
            async for found in told:
                if before[1]:
                    gaps.append((found[1] - before[1], found[0] - before[0]))
                before = found
                if gaps and gaps[-1][0] > 1.0:
                    break
            real_s, plant_s = gaps[-1]
            assert plant_s < 0.5 * SPEED * real_s, gaps[-1]  # it stood still ...
            async for found in told:
                if found[0] > before[0] + 10.0:
                    break  # ... and has gone on alone
    finally:
        process.stdin.close()
        await process.wait()


async def test_the_clock_goes_as_the_plant_does_and_both_slower_on_a_busy_computer() -> None:
    process = await plant()
    busy = stations(0, 0)
    said: list[str] = []
    try:
        clock = Clock(SPEED, epoch=0.0)
        async with asyncio.timeout(60):
            async with paced(process, clock, busy, said.append):
                async for _ in times_of(clock):
                    break
                while clock.speed == SPEED:
                    busy[0].scans, busy[0].missed = busy[0].scans + 10, busy[0].missed + 90
                    await asyncio.sleep(0.05)
                at, line = clock.real(), clock.now()
                while clock.real() < at + 1.0:
                    busy[0].scans, busy[0].missed = busy[0].scans + 10, busy[0].missed + 90
                    await asyncio.sleep(0.05)
                assert clock.now() - line < 0.7 * SPEED * (clock.real() - at)
        assert clock.speed < 0.5 * SPEED
        assert len(said) == 1
        assert "too busy for 50 x real time" in said[0]
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
    before, at = clock.now(), clock.real()
    await asyncio.sleep(2 * WAITS_AFTER_S)
    assert clock.now() - before == pytest.approx(clock.speed * (clock.real() - at), rel=0.05)  # nobody is followed


async def test_a_plant_that_ends_leaves_the_clock_to_itself() -> None:
    process = await plant()
    clock = Clock(SPEED, epoch=0.0)
    async with asyncio.timeout(60):
        async with paced(process, clock, stations(0, 0), print):
            async for _ in times_of(clock):
                break
            process.kill()
            await process.wait()
            while clock.follows:
                await asyncio.sleep(0.02)
            before, at = clock.now(), clock.real()
            await asyncio.sleep(2 * WAITS_AFTER_S)
            assert clock.now() - before == pytest.approx(SPEED * (clock.real() - at), rel=0.05)


async def times_of(clock: Clock) -> AsyncIterator[float]:
    """Line time from when it follows a plant."""
    while True:
        if clock.follows:
            yield clock.now()
        await asyncio.sleep(0.02)


async def test_a_controller_that_ends_takes_its_leave_of_the_plant(tmp_path: Path) -> None:
    """Or the plant would stand still while the line is brought to its safe state."""
    heard = tmp_path / "heard"
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", f"exec cat > {heard}"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    async with paced(process, Clock(SPEED), stations(0, 0), print):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    process.stdin.close()
    await process.wait()
    *paces, last = heard.read_text().splitlines()
    assert set(paces) == {"pace 50"}
    assert last == "alone"
