"""The beat: skip and resync, never early, counted."""

import asyncio
import time

from hypothesis import given
from hypothesis import strategies as st

from linecontrol.core.clock import Clock
from linecontrol.core.ticker import LoopTicker, Ticker, TimerfdTicker, next_due, ticker


@given(
    start=st.floats(0, 1e6),
    period=st.floats(0.001, 100),
    last=st.integers(0, 10**6),
    late=st.floats(0, 1000),
)
def test_next_tick_is_ahead_on_the_grid_and_counts_what_it_skips(
    start: float, period: float, last: int, late: float
) -> None:
    now = start + last * period + late
    index, missed = next_due(start, period, last, now)
    assert index == last + 1 + missed
    assert missed >= 0
    due = start + index * period
    assert due >= now - period * 1e-6 - 1e-6  # never one that has passed ...
    assert index == last + 1 or due - period < now + period * 1e-6 + 1e-6  # ... and the first that has not


async def never_early_and_counts(beat: Ticker, seconds_of: object) -> None:
    lateness = []
    for _ in range(20):
        tick = await beat.next()
        lateness.append(time.monotonic() - tick.due)
    assert min(lateness) >= 0.0
    before = beat.missed
    time.sleep(0.055)  # noqa: ASYNC251 - the loop is blocked on purpose: this is the fault under test
    late = await beat.next()
    assert late.missed >= 4
    assert beat.missed == before + late.missed
    following = await beat.next()
    assert following.number == late.number + 1 + following.missed


async def test_timerfd_beat_is_never_early_and_counts_missed_ticks() -> None:
    with TimerfdTicker(0.01) as beat:
        await never_early_and_counts(beat, None)


async def test_portable_beat_counts_missed_ticks() -> None:
    with LoopTicker(0.01) as beat:
        await beat.next()
        time.sleep(0.035)  # noqa: ASYNC251 - the loop is blocked on purpose
        late = await beat.next()
        assert late.missed >= 3


async def test_a_closed_beat_leaves_no_timer_behind() -> None:
    beat = ticker(Clock(), 0.01)
    await beat.next()
    beat.close()
    beat.close()


async def test_cancelling_a_wait_leaves_the_beat_usable() -> None:
    with ticker(Clock(), 0.02) as beat:
        waiting = asyncio.ensure_future(beat.next())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert (await beat.next()).number >= 1
