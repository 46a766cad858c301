"""Time that nobody waits for."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linecontrol.core.clock import Clock
from linecontrol.core.ticker import ticker
from linecontrol.twin.loop import VirtualDeadlock, VirtualLoop, run_virtual


def test_a_week_passes_at_once_and_timers_fire_in_their_order() -> None:
    seen: list[tuple[str, float]] = []

    async def note(name: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        seen.append((name, asyncio.get_running_loop().time()))

    async def main() -> float:
        await asyncio.gather(note("week", 7 * 86_400.0), note("second", 1.0), note("hour", 3600.0))
        return Clock().real()

    assert run_virtual(main()) == 7 * 86_400.0
    assert seen == [("second", 1.0), ("hour", 3600.0), ("week", 7 * 86_400.0)]


waits = st.lists(st.tuples(st.sampled_from([0.0, 0.001, 0.002, 0.003]), st.integers(0, 2), st.booleans()), max_size=12)


@given(waits)
@settings(max_examples=25, deadline=None)
def test_things_are_called_in_the_order_in_which_asyncio_calls_them(plan: list[tuple[float, int, bool]]) -> None:
    """Timers at one moment, cancelled ones and what is called soon: as by asyncio, where time is as virtual."""

    async def main() -> list[str]:
        loop, seen = asyncio.get_running_loop(), list[str]()

        def note(name: str, then: int) -> None:
            seen.append(name)
            if then:
                loop.call_soon(note, f"{name}+", then - 1)

        start = loop.time()
        timers = [loop.call_at(start + at, note, str(n), then) for n, (at, then, _) in enumerate(plan)]
        for timer, (_, _, is_cancelled) in zip(timers, plan, strict=True):
            if is_cancelled:
                timer.cancel()
        await asyncio.sleep(0.01)
        return seen

    class Plain(VirtualLoop):
        call_soon = asyncio.SelectorEventLoop.call_soon
        call_at = asyncio.SelectorEventLoop.call_at
        _run_once = asyncio.SelectorEventLoop._run_once

    with asyncio.Runner(loop_factory=Plain) as runner:
        expected = runner.run(main())
    assert run_virtual(main()) == expected


def test_a_ticker_never_misses_and_never_drifts() -> None:
    async def main() -> list[float]:
        clock = Clock(epoch=100.0)
        with ticker(clock, 0.1) as beat:
            return [((await beat.next()).due, clock.now())[1] for _ in range(10_000)]

    times = run_virtual(main())
    assert times[-1] == pytest.approx(1100.0, abs=1e-6)
    assert all(late - early == pytest.approx(0.1, abs=1e-6) for early, late in itertools.pairwise(times))


def test_a_deadline_is_virtual_too() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(600.0):
                await asyncio.get_running_loop().create_future()
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == 600.0


def test_what_can_never_go_on_is_told_by_name() -> None:
    async def main() -> None:
        stuck = asyncio.create_task(asyncio.Event().wait(), name="waits for ever")
        await stuck

    with pytest.raises(VirtualDeadlock, match="waits for ever"):
        run_virtual(main())


def test_work_for_a_thread_is_done_in_place_and_its_error_is_kept() -> None:
    def fail() -> None:
        raise OSError("no such disk")

    async def main() -> tuple[int, float]:
        with pytest.raises(OSError, match="no such disk"):
            await asyncio.to_thread(fail)
        return await asyncio.to_thread(sum, [1, 2, 3]), asyncio.get_running_loop().time()

    assert run_virtual(main()) == (6, 0.0)
