"""A station over a scripted link: outages, frozen programs, restarts, ownership. The real wires are in tests/links."""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linecontrol.core.clock import Clock
from linecontrol.core.errors import LinkDown, LinkTimeout
from linecontrol.core.image import LosslessFeed, ProcessImage, Scan
from linecontrol.core.link import LinkCounters, Reading
from linecontrol.core.model import DataType, Event, Quality, Severity, Status, Tag, Text, Value
from linecontrol.core.source_time import SourceTime
from linecontrol.core.station import Duty, Station, retry_delays_s
from linecontrol.twin.loop import run_virtual

TITLE = Text("x", "x")


def tag(name: str, kind: DataType = DataType.UINT16, writable: bool = False) -> Tag:
    return Tag(name, "s", TITLE, "", kind, name, writable=writable)


TAGS = [tag("PV", DataType.FLOAT32), tag("XI"), tag("SEQ", DataType.UINT32), tag("HB", writable=True)]
TAGS += [tag("OWN", DataType.UINT32, writable=True), tag("SP", writable=True)]
DUTY = Duty("HB", "OWN", "XI", "SEQ", heartbeat_period_s=0.01, alive_timeout_s=0.2, claim_s=0.05)


class ScriptedLink:
    """A device in memory whose troubles the test chooses."""

    notices: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.counters = LinkCounters()
        self.values: dict[str, Value | None] = {"PV": 20.0, "XI": 7, "SEQ": 0, "HB": 0, "OWN": 0, "SP": 0}
        self.trouble: BaseException | None = None
        self.is_hanging = False
        self.is_frozen = False
        self.each_read: Callable[[], None] = lambda: None
        self.written: list[tuple[str, Value]] = []
        self.opened = 0
        self.reported: list[dict[str, Reading]] = []

    async def open(self) -> None:
        self.opened += 1
        if isinstance(self.trouble, LinkDown):
            raise self.trouble

    async def read(self, names: Collection[str] | None = None) -> dict[str, Reading]:
        await asyncio.sleep(0)
        if self.is_hanging:
            await asyncio.get_running_loop().create_future()
        if self.trouble is not None:
            raise self.trouble
        if not self.is_frozen:
            self.values["SEQ"] = int(self.values["SEQ"] or 0) + 1
        self.each_read()
        wanted = self.values if names is None else {name: self.values[name] for name in names}
        return {
            name: Reading(value, Status.GOOD if value is not None else Status.BAD_SENSOR_FAILURE)
            for name, value in wanted.items()
        }

    def earlier(self) -> list[dict[str, Reading]]:
        reported, self.reported = self.reported, []
        return reported

    async def write(self, name: str, value: Value) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.values[name] = value
        self.written.append((name, value))

    async def close(self) -> None:
        pass


class BrokenOff(asyncio.CancelledError):
    """What a library may raise although nobody has ended the task (wait_for2 does)."""


class Bench:
    def __init__(self, duty: Duty | None = DUTY, **more: object) -> None:
        self.link = ScriptedLink()
        self.events: list[Event] = []
        self.restarts: list[str] = []
        self.image = ProcessImage(TAGS)
        self.feed = LosslessFeed()
        self.image.attach(self.feed)
        self.clock = Clock()
        self.count = 0
        self.rest: list[Scan] = []
        self.station = Station(
            "s",
            self.link,
            TAGS,
            self.image,
            self.clock,
            scan_s=0.02,
            duty=duty,
            beat=self.beat,
            token=0xABCD,
            emit=self.events.append,
            on_restart=self.restarts.append,
            **more,  # type: ignore[arg-type]
        )

    def beat(self) -> int:
        self.count += 1
        return self.count

    async def scans(self, wanted: Callable[[Scan], bool]) -> Scan:
        """The next scan for which ``wanted`` is true; those taken along with it are in ``rest``."""
        async with asyncio.timeout(5):
            while True:
                taken = await self.feed.take()
                for at, scan in enumerate(taken):
                    if wanted(scan):
                        self.rest = taken[at + 1 :]
                        return scan

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]


@asynccontextmanager
async def running(duty: Duty | None = DUTY, **more: object) -> AsyncIterator[Bench]:
    bench = Bench(duty, **more)
    task = asyncio.ensure_future(bench.station.run())
    try:
        yield bench
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def following(bench: Bench, count: int) -> list[Scan]:
    """The scans next to the one just found."""
    async with asyncio.timeout(5):
        while len(bench.rest) < count:
            bench.rest += await bench.feed.take()
    return bench.rest[:count]


def is_good(scan: Scan) -> bool:
    return len(scan.samples) == len(TAGS) and scan.samples["PV"].is_good


def is_all_bad(scan: Scan) -> bool:
    return all(s.status.quality is Quality.BAD and s.value is None for s in scan.samples.values())


@pytest.mark.parametrize(
    "trouble",
    [LinkDown("connection refused"), LinkTimeout("no answer within 1 s"), BrokenOff(), asyncio.CancelledError()],
    ids=["refused", "silent", "broken off", "cancelled by nobody"],
)
async def test_an_outage_is_one_bad_row_one_event_and_ends_by_itself_twice(trouble: BaseException) -> None:
    async with running() as bench:
        for outage in (1, 2):
            await bench.scans(is_good)
            bench.link.trouble = trouble
            await bench.scans(is_all_bad)
            assert not bench.station.is_up
            opened = bench.link.opened
            async with asyncio.timeout(5):
                while bench.link.opened < opened + 2:  # it keeps trying ...
                    await asyncio.sleep(0.01)
            assert bench.feed.drain() == []  # ... and says nothing twice
            bench.link.trouble = None
            await bench.scans(is_good)
            assert bench.kinds().count("link.down") == outage
        assert [e.active for e in bench.events if e.kind == "link.down"] == [True, True]
        assert [e.active for e in bench.events if e.kind == "link.up"] == [None, False, False]


def test_a_link_that_never_returns_is_bad_for_everybody_and_cut_off() -> None:
    async def hang() -> Bench:
        async with running() as bench:
            await bench.scans(is_good)
            bench.link.is_hanging = True
            asked = bench.clock.now()
            while not (found := bench.feed.drain()) or not is_all_bad(found[-1]):
                await asyncio.sleep(0.05)
                bench.station.watch_silence(bench.clock.now())
            assert 3.0 <= bench.clock.now() - asked < 3.2
            assert bench.kinds() == ["link.up"]  # not cut off: our own loop may have stood still
            while bench.station.is_up:
                await asyncio.sleep(0.05)
                bench.station.watch_silence(bench.clock.now())
            assert bench.clock.now() - asked < 5.0
            assert bench.feed.drain() == []  # said once
            bench.link.is_hanging = False
            await bench.scans(is_good)
            return bench

    bench = run_virtual(hang())
    assert bench.kinds() == ["link.up", "link.down", "link.up"]
    assert bench.link.opened == 2


async def test_what_a_device_reported_between_two_scans_is_published_first_with_its_own_times() -> None:
    async with running() as bench:
        await bench.scans(is_good)
        bench.link.reported = [{"PV": Reading(at, Status.GOOD, 100.0 + at)} for at in (1.0, 2.0)]
        first = await bench.scans(lambda scan: set(scan.samples) == {"PV"})
        second, third = await following(bench, 2)
        assert [scan.samples["PV"].value for scan in (first, second, third)] == [1.0, 2.0, 20.0]
        assert second.samples["PV"].time - first.samples["PV"].time == pytest.approx(1.0, abs=0.001)
        assert first.time == second.time == third.time
        assert len(third.samples) == len(TAGS)


async def test_what_had_arrived_when_a_device_was_lost_comes_before_the_outage() -> None:
    async with running() as bench:
        await bench.scans(is_good)
        bench.link.reported = [{"PV": Reading(33.0, Status.GOOD, 100.0)}]
        bench.link.trouble = LinkTimeout("silent")
        last = await bench.scans(lambda scan: set(scan.samples) == {"PV"})
        assert last.samples["PV"].value == 33.0
        assert is_all_bad((await following(bench, 1))[0])


async def test_values_a_device_could_not_report_are_an_event() -> None:
    async with running() as bench:
        await bench.scans(is_good)
        bench.link.counters.lost = 3
        await bench.scans(lambda _: bench.kinds().count("link.lost") == 1)
        bench.link.counters.lost = 4
        await bench.scans(lambda _: bench.kinds().count("link.lost") == 2)
        await bench.scans(is_good)
        events = [event for event in bench.events if event.kind == "link.lost"]
        assert [event.data["lost"] for event in events] == [3, 1]
        assert events[0].severity is Severity.WARNING


async def test_what_a_person_should_know_of_a_connection_is_told_once_for_each() -> None:
    async with running() as bench:
        bench.link.notices = ("certificate own.der expires on 2026-12-01, in 8 days",)
        for connects in (1, 2):
            await bench.scans(is_good)
            await bench.scans(is_good)
            events = [event for event in bench.events if event.kind == "link.notice"]
            assert len(events) == connects
            assert "s: certificate own.der expires" in events[-1].text
            bench.link.trouble = LinkDown("cut")
            await bench.scans(is_all_bad)
            bench.link.trouble = None


async def test_starting_while_the_device_is_away_waits_and_says_so() -> None:
    async with running() as bench:
        bench.link.trouble = LinkDown("connection refused")
        await bench.scans(is_all_bad)
        assert bench.kinds() == ["link.down"]
        assert "connection refused" in bench.events[0].text
        bench.link.trouble = None
        await bench.scans(is_good)


async def test_a_program_that_stands_still_is_bad_though_it_answers() -> None:
    async with running() as bench:
        await bench.scans(is_good)
        bench.link.is_frozen = True
        await bench.scans(is_all_bad)
        assert "plc.stalled" in bench.kinds()
        assert "not running" in (bench.station.why_not_write() or "")
        bench.link.is_frozen = False
        await bench.scans(is_good)


async def test_it_claims_the_device_and_beats_with_the_control_cycle() -> None:
    async with running() as bench:
        await bench.station.settled()
        assert ("OWN", 0xABCD) in bench.link.written
        assert bench.station.why_not_write() is None
        async with asyncio.timeout(5):
            while len([1 for name, _ in bench.link.written if name == "HB"]) < 3:
                await asyncio.sleep(0.01)
        beats = [value for name, value in bench.link.written if name == "HB"]
        assert beats == sorted(set(beats))


async def test_a_moving_heartbeat_means_another_controller_and_nothing_is_written() -> None:
    async with running() as bench:
        bench.link.values["OWN"] = 0x1234

        def other() -> None:
            bench.link.values["HB"] = int(bench.link.values["HB"] or 0) + 1

        bench.link.each_read = other
        await bench.station.settled()
        assert bench.station.foreign_owner == 0x1234
        assert "another controller (token 00001234)" in (bench.station.why_not_write() or "")
        bench.link.each_read = lambda: None  # the other stops; still nobody takes over by itself
        bench.feed.drain()
        for _ in range(10):
            await bench.scans(is_good)
        assert bench.link.written == []


async def test_losing_the_token_stops_writing() -> None:
    async with running() as bench:
        await bench.station.settled()
        bench.link.values["OWN"] = 0x9999
        async with asyncio.timeout(5):
            while bench.station.foreign_owner is None:
                await asyncio.sleep(0.01)
        assert "plc.foreign" in bench.kinds()
        written = len(bench.link.written)
        bench.feed.drain()
        for _ in range(5):
            await bench.scans(is_good)
        assert len(bench.link.written) == written


async def test_a_restarted_plc_is_noticed_and_claimed_anew() -> None:
    async with running() as bench:
        await bench.station.settled()
        bench.link.values.update(XI=8, OWN=0, HB=0)
        async with asyncio.timeout(5):
            while not bench.restarts or not bench.station.is_claimed:
                await asyncio.sleep(0.01)
        assert bench.restarts == ["s"]
        assert [value for name, value in bench.link.written if name == "OWN"] == [0xABCD, 0xABCD]


async def test_an_unaccepted_cabinet_is_read_and_never_written() -> None:
    async with running(is_accepted=False) as bench:
        await bench.station.settled()
        for _ in range(5):
            await bench.scans(is_good)
        assert bench.link.written == []
        assert "probe" in (bench.station.why_not_write() or "")


async def test_a_bad_sensor_leaves_its_neighbours_good() -> None:
    async with running() as bench:
        bench.link.values["PV"] = None
        scan = await bench.scans(lambda scan: not is_all_bad(scan))
        assert scan.samples["PV"].status is Status.BAD_SENSOR_FAILURE
        assert scan.samples["SP"].is_good


async def test_quality_changes_are_one_event_each_way() -> None:
    async with running() as bench:
        await bench.scans(is_good)
        bench.link.values.update(PV=None, SP=None)
        await bench.scans(lambda scan: not is_good(scan))
        bench.feed.drain()
        await bench.scans(lambda scan: not is_good(scan))
        bench.link.values.update(PV=1.0, SP=2)
        await bench.scans(is_good)
        told = [(e.kind, e.active, e.data["tags"]) for e in bench.events if e.kind.startswith("quality")]
        assert told == [("quality.bad", True, ["PV", "SP"]), ("quality.good", False, ["PV", "SP"])]
        text = next(event.text for event in bench.events if event.kind == "quality.bad")
        assert re.search(r"BAD: PV \(Bad\w+\), SP \(Bad\w+\)\.", text), text  # what the device says of each


NAMES = [one.name for one in TAGS]
ANSWERED = Duty(constant=("XI", 7.0), alive="SEQ", alive_timeout_s=0.2)


def mostly_bad(bench: Bench) -> list[bool | None]:
    """When it was told that more than half of the signals are bad (True), and no longer are (False)."""
    return [event.active for event in bench.events if event.kind == "quality.mostly-bad"]


async def test_more_than_half_bad_begins_and_ends_exactly_there() -> None:
    async with running(None) as bench:
        await bench.scans(is_good)

        async def show_bad(*names: str) -> list[bool | None]:
            bench.link.values.update({name: None if name in names else 1 for name in NAMES if name != "SEQ"})
            await bench.scans(lambda scan: {n for n in NAMES if not scan.samples[n].is_good} == set(names))
            return mostly_bad(bench)

        assert await show_bad("PV", "XI", "HB") == [], "three of six are half"
        assert await show_bad("PV", "XI", "HB", "OWN", "SP") == [True]
        assert await show_bad("PV", "XI", "HB", "OWN") == [True], "one is good again, and four of six are still bad"
        assert await show_bad("PV", "XI", "HB") == [True, False], "half are bad again, no longer more"
        assert await show_bad("PV", "XI", "HB", "OWN") == [True, False, True]
        assert await show_bad() == [True, False, True, False]
        told = [event for event in bench.events if event.kind.startswith("quality")]
        assert {e.severity for e in told if e.kind == "quality.mostly-bad"} == {Severity.ALARM}
        assert Severity.ALARM not in {e.severity for e in told if e.kind != "quality.mostly-bad"}
        assert next(e.data["tags"] for e in told if e.kind == "quality.good") == ["SP"]
        assert next(e for e in told if e.active and e.kind == "quality.mostly-bad").text == (
            "s: 5 of 6 signals are BAD: HB, OWN, PV, SP, XI."
        )


def lose_link(link: ScriptedLink) -> None:
    link.trouble = LinkDown("cut")


def stand_still(link: ScriptedLink) -> None:
    link.is_frozen = True


def swap_words(link: ScriptedLink) -> None:
    link.values["XI"] = 8


@pytest.mark.parametrize("trouble", [lose_link, stand_still, swap_words])
async def test_more_than_half_bad_ends_when_the_whole_station_is_lost(trouble: Callable[[ScriptedLink], None]) -> None:
    async with running(ANSWERED) as bench:
        await bench.scans(is_good)
        bench.link.values.update(PV=None, HB=None, OWN=None, SP=None)
        await bench.scans(lambda _: mostly_bad(bench) == [True])
        trouble(bench.link)
        await bench.scans(is_all_bad)
        assert mostly_bad(bench) == [True, False]
        bench.link.trouble, bench.link.is_frozen = None, False
        bench.link.values.update(PV=1.0, XI=7, HB=1, OWN=1, SP=1)
        await bench.scans(is_good)
        assert mostly_bad(bench) == [True, False]


async def test_what_is_still_mostly_bad_after_an_outage_is_told_anew() -> None:
    async with running(None) as bench:
        bench.link.values.update(PV=None, HB=None, OWN=None, SP=None)
        await bench.scans(lambda _: mostly_bad(bench) == [True])
        bench.link.trouble = LinkDown("cut")
        await bench.scans(is_all_bad)
        bench.link.trouble = None
        await bench.scans(lambda _: mostly_bad(bench) == [True, False, True])


async def test_a_write_is_read_back_and_shown_at_once() -> None:
    async with running() as bench:
        await bench.station.settled()
        assert (await bench.station.write("SP", 5)).value == 5
        assert bench.image.latest("SP").value == 5


def test_a_frozen_device_stamp_grows_old_however_often_it_is_read() -> None:
    source = SourceTime()
    first = source.stamp([1000.0], 5000.0, 1.0)
    later = source.stamp([1000.0], 5009.0, 1.0)
    assert first == later == [5000.0]


def test_device_clock_need_not_agree_with_ours() -> None:
    source = SourceTime()
    assert source.stamp([10.0, 7.0], 5000.0, 1.0) == [5000.0, 4997.0]
    assert source.stamp([11.0, 7.0], 5001.0, 1.0) == [5001.0, 4997.0]
    assert source.stamp([12.0], 5060.0, 60.0) == [5060.0]
    # its clock set back by an hour is a new beginning, not an hour of age
    assert source.stamp([-3588.0], 5061.0, 1.0) == [5061.0]


def test_a_stamp_that_was_held_up_on_its_way_does_not_come_before_older_ones() -> None:
    """Reports are fetched now soon after they came, now late; the times of the values must not jump with that."""
    source = SourceTime()
    times = []
    for stamp, delay in ((10.0, 0.05), (11.0, 0.45), (12.0, 0.30), (13.0, 0.02), (14.0, 0.40)):
        stamps = [stamp + part / 10 - 0.9 for part in range(10)]
        times += source.stamp(stamps, 5000.0 + stamp + delay, 1.0)
    assert times == sorted(times)
    steps = [after - before for before, after in itertools.pairwise(times)]
    assert steps == pytest.approx([0.1] * len(steps), abs=0.05)


def test_a_clock_that_is_slower_than_ours_is_followed() -> None:
    source = SourceTime()
    for second in range(300):
        (at,) = source.stamp([second * 0.995], 5000.0 + second, 1.0)
        assert 5000.0 + second - at < 0.02


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 10)), min_size=1, max_size=30))
def test_stamps_never_lie_ahead_of_the_answer(scans: list[tuple[float, float]]) -> None:
    source, arrival = SourceTime(), 1000.0
    for stamp, pause in scans:
        arrival += pause
        assert all(at <= arrival for at in source.stamp([stamp, stamp / 2], arrival, 1.0))


def test_retries_back_off_to_about_a_second() -> None:
    delays = retry_delays_s(seed=3)
    first = [next(delays) for _ in range(30)]
    assert first[0] <= 0.12
    assert all(0.8 <= delay <= 1.2 for delay in first[5:])
    assert len(set(first[5:])) > 10  # jittered, so that many stations do not knock together
