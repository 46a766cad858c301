"""What every link must do, over real sockets, a serial line and in memory alike."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from link_bench import EXPECTED, PATIENCE_S, WRITABLE, Bench, OpcuaBench, SerialBench, loses, open_files

from linecontrol.core.errors import DeviceRefused, LinkDown, LinkError, LinkTimeout
from linecontrol.core.link import Link
from linecontrol.core.model import Quality, Status


async def opened(bench: Bench) -> Link:
    link = bench.link()
    await link.open()
    return link


async def is_right(link: Link) -> None:
    readings = await link.read(EXPECTED)
    assert {name: reading.value for name, reading in readings.items()} == EXPECTED
    assert {reading.status for reading in readings.values()} == {Status.GOOD}


async def test_reads_every_type_and_isolates_what_the_device_lacks(bench: Bench) -> None:
    link = await opened(bench)
    everything = await link.read()
    for name, value in EXPECTED.items():
        assert everything[name].value == value, name
        assert type(everything[name].value) is type(value), name
        assert everything[name].status is Status.GOOD, name
    assert everything["missing"].value is None
    assert everything["missing"].status.quality is Quality.BAD
    assert everything["refuses"].status is Status.GOOD
    assert set(everything) >= {*EXPECTED, "missing", "refuses", *(name for name, *_ in WRITABLE)}
    await link.close()


async def test_a_read_of_all_is_one_request_or_none_and_nothing_comes_twice(bench: Bench) -> None:
    link = await opened(bench)
    assert list(link.notices) == []
    before = link.counters.requests
    for _ in range(5):
        assert set(await link.read()) >= set(EXPECTED)
        assert list(link.earlier()) == [], "nothing has changed"
    assert (link.counters.requests > before) is bench.asks
    assert link.counters.lost == 0
    await link.close()


async def test_reads_only_what_is_asked(bench: Bench) -> None:
    link = await opened(bench)
    assert set(await link.read(["f32", "u16"])) == {"f32", "u16"}
    assert await link.read([]) == {}
    only = await link.read(["missing"])
    assert only["missing"].value is None
    with pytest.raises(KeyError):
        await link.read(["no such tag"])
    await link.close()


async def test_what_is_written_is_read_back(bench: Bench) -> None:
    link = await opened(bench)
    for name, _, _, values in WRITABLE:
        for value in values:
            await link.write(name, value)
            back = (await link.read([name]))[name]
            assert back.value == value, name
            assert type(back.value) is type(value), name
            assert back.status is Status.GOOD, name
    with pytest.raises(KeyError):
        await link.write("no such tag", 1)
    await link.close()


async def test_a_refused_write_says_so_and_harms_nothing(bench: Bench) -> None:
    link = await opened(bench)
    with pytest.raises(DeviceRefused, match="refuses"):
        await link.write("refuses", 13)
    assert (await link.read(["refuses"]))["refuses"].value == 0
    await is_right(link)
    await link.close()


@pytest.mark.parametrize("value", [70_000, -1, float("nan"), float("inf"), "7", True])
async def test_what_the_register_cannot_hold_is_never_sent(faulty: Bench, value: Any) -> None:
    link = await opened(faulty)
    before = link.counters.requests
    with pytest.raises(LinkError, match="w_u16"):
        await link.write("w_u16", value)
    assert link.counters.requests == before
    await link.close()


async def test_counts_what_happens(bench: Bench) -> None:
    link = await opened(bench)
    requests, answers = link.counters.requests, link.counters.answers
    assert requests == answers
    await link.read(["u16"])
    assert (link.counters.requests, link.counters.answers) == (requests + 1, answers + 1)
    assert link.counters.connects == 1
    with pytest.raises(DeviceRefused):
        await link.write("refuses", 13)
    assert link.counters.timeouts == 0
    assert link.counters.bad_frames == 0
    await link.close()


async def test_may_be_closed_before_open_and_twice(bench: Bench) -> None:
    link = bench.link()
    await link.close()
    with pytest.raises(LinkDown):
        await link.read()
    with pytest.raises(LinkDown):
        await link.write("w_u16", 1)
    await link.open()
    await link.open()  # an open link is closed first
    await is_right(link)
    await link.close()
    await link.close()
    with pytest.raises(LinkDown):
        await link.read()


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "killed"])
async def test_a_lost_device_is_noticed_and_found_again(faulty: Bench, reset: bool) -> None:
    link = await opened(faulty)
    for _ in range(2):  # the second outage has found faults that the first did not
        await is_right(link)
        await faulty.cut(reset)
        with pytest.raises((LinkDown, LinkTimeout)):
            await loses(link, faulty.asks)
        with pytest.raises((LinkDown, LinkTimeout)):
            await link.read()
        if not isinstance(faulty, SerialBench):
            with pytest.raises((LinkDown, LinkTimeout)):
                await link.open()
        await faulty.mend()
        await link.open()
    await is_right(link)
    await link.close()


async def test_a_device_lost_during_a_request_is_noticed_at_once(wired: Bench) -> None:
    link = await opened(wired)
    await wired.silence()
    reading = asyncio.create_task(link.read(EXPECTED))
    while link.counters.requests == link.counters.answers:
        await asyncio.sleep(0)
    await wired.cut(reset=True)
    with pytest.raises(LinkDown):
        await reading
    assert link.counters.timeouts == 0
    await link.close()


async def test_a_silent_device_ends_in_a_timeout_and_no_late_answer(faulty: Bench) -> None:
    link = await opened(faulty)
    await faulty.silence()
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(LinkTimeout):
            await loses(link, faulty.asks)
    assert link.counters.timeouts == 1
    with pytest.raises((LinkDown, LinkTimeout)):  # until it is opened again nothing is sent
        await link.write("w_u16", 1)
    await faulty.mend()
    await link.open()
    await is_right(link)
    await link.close()


async def test_opening_and_closing_never_hang_on_a_silent_device(faulty: Bench) -> None:
    link = await opened(faulty)
    await faulty.silence()
    async with asyncio.timeout(PATIENCE_S):
        await link.close()
        if isinstance(faulty, OpcuaBench):
            with pytest.raises(LinkTimeout):
                await link.open()
        await link.close()


async def test_leaves_nothing_behind(bench: Bench) -> None:
    link = bench.link()
    await link.open()
    await link.close()
    await settled(bench)
    files, tasks = open_files(), len(asyncio.all_tasks())
    for round_ in range(50):
        await link.open()
        if round_ % 10 == 0:
            await is_right(link)
        await link.close()
    await settled(bench)
    assert open_files() <= files
    assert len(asyncio.all_tasks()) <= tasks


async def settled(bench: Bench) -> None:
    """Wait until the far end has closed its connections too: they are in this process."""
    cable = getattr(bench, "cable", None)
    if cable is not None:
        await cable.is_idle()


async def test_a_failed_open_leaves_nothing_behind(wired: Bench) -> None:
    link = wired.link()
    await wired.cut(reset=False)
    files, tasks = open_files(), len(asyncio.all_tasks())
    for _ in range(20):
        with pytest.raises(LinkDown):
            await link.open()
    assert open_files() <= files
    assert len(asyncio.all_tasks()) <= tasks


async def test_a_cancelled_read_is_cancelled_and_harms_nothing(bench: Bench) -> None:
    link = await opened(bench)
    for steps in (1, 2, 3, 5, 8):  # cancel at several stages of a request
        reading = asyncio.create_task(link.read(None if steps % 2 else EXPECTED))
        for _ in range(steps):
            await asyncio.sleep(0)
        reading.cancel()
        try:
            await reading
        except asyncio.CancelledError:
            assert reading.cancelled()
        await link.open()
        await is_right(link)
    await link.close()


async def test_a_cancel_under_silence_is_obeyed_at_once(faulty: Bench) -> None:
    link = await opened(faulty)
    await faulty.silence()
    reading = asyncio.create_task(link.read(EXPECTED))
    while link.counters.requests == link.counters.answers:
        await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert link.counters.timeouts == 0
    await link.close()


async def test_requests_at_the_same_time_never_swap_answers(bench: Bench) -> None:
    link = await opened(bench)
    names = [name for name in EXPECTED for _ in range(8)]

    async def one(name: str) -> None:
        reading = (await link.read([name]))[name]
        assert reading.value == EXPECTED[name], name

    rounds, before = 2 if isinstance(bench, SerialBench) else 6, link.counters.requests
    for _ in range(rounds):
        async with asyncio.TaskGroup() as together:
            for name in names:
                together.create_task(one(name))
    assert link.counters.requests - before == rounds * len(names)
    await link.close()


async def test_closing_ends_a_request_under_way(faulty: Bench) -> None:
    link = await opened(faulty)
    await faulty.silence()
    reading = asyncio.create_task(link.read(EXPECTED))
    while link.counters.requests == link.counters.answers:
        await asyncio.sleep(0)
    await link.close()
    with pytest.raises((LinkDown, LinkTimeout)):
        await reading
