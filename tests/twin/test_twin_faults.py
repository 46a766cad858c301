"""Faults without a socket: what the twin's link reports for each of wire, PLC and instrument, and random schedules."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from random import Random

import pytest

from linecontrol.core.errors import ConfigError, DeviceRefused, LinkDown, LinkTimeout
from linecontrol.core.link import Reading
from linecontrol.core.model import Status
from linecontrol.core.source_time import SourceTime
from linecontrol.twin import upsets
from linecontrol.twin.link import TwinFace, TwinLink
from linecontrol.twin.loop import run_virtual
from linecontrol.twin.schedules import read_faults
from linecontrol.twin.trial import Trial, line_at_step, run_trial
from linecontrol.twin.upsets import random_faults
from simulator.faults import CATALOGUE, GROUPS, FaultError, read_fault
from simulator.floor import Floor
from simulator.plant import Plant
from simulator.profile import read_line, shipped_folder

TIMEOUT_S = 1.0
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "bad-day.yaml"


class Bench:
    """A floor on the twin's faces, with a link to one station."""

    def __init__(self, station: str) -> None:
        config = line_at_step("demo")
        faces = {name: TwinFace() for name in config.stations}
        self.floor: Floor[TwinFace] = Floor(
            read_line(shipped_folder() / "lines" / "demo.yaml"), Plant(seed=1), lambda found, _plc: faces[found.name]
        )
        self.step()
        self.plc = self.floor.cabinets[station].plc
        self.link = TwinLink(self.plc, faces[station], config.stations[station].tags, TIMEOUT_S)

    def step(self) -> None:
        self.floor.step(1.0, 1.0)

    async def begin(self, text: str) -> None:
        await self.floor.faults.begin(read_fault(text, self.floor.cabinets))

    async def end(self) -> None:
        assert await self.floor.faults.clear("all")

    async def number(self, tag: str) -> float:
        value = (await self.link.read([tag]))[tag].value
        assert isinstance(value, (int, float))
        return value


def on(station: str, play: Callable[[Bench], Awaitable[None]]) -> None:
    """Play a scene on an open link under virtual time."""

    async def main() -> None:
        bench = Bench(station)
        await bench.link.open()
        await play(bench)

    run_virtual(main())


async def reopened(bench: Bench) -> Mapping[str, Reading]:
    await bench.link.open()
    return await bench.link.read()


STATIONS = ("screening", "drying")  # Modbus and OPC UA


@pytest.mark.parametrize("station", STATIONS)
def test_a_pulled_plug_refuses(station: str) -> None:
    async def play(bench: Bench) -> None:
        await bench.begin(f"refuse:{station}")
        with pytest.raises(LinkDown):
            await bench.link.read()
        with pytest.raises(LinkDown, match="refused"):
            await bench.link.open()
        await bench.end()
        assert await reopened(bench)

    on(station, play)


@pytest.mark.parametrize("station", STATIONS)
def test_a_reset_is_one_lost_connection(station: str) -> None:
    async def play(bench: Bench) -> None:
        await bench.begin(f"rst:{station}")
        with pytest.raises(LinkDown):
            await bench.link.read()
        assert await reopened(bench)
        assert await bench.link.read()
        await bench.begin(f"rst-storm:{station}:5")
        lost = 0
        for _ in range(20):
            await bench.floor.faults.advance(bench.floor.time_s)
            try:
                await bench.link.read()
            except LinkDown:
                lost += 1
                await bench.link.open()
            bench.step()
        assert lost == 4

    on(station, play)


@pytest.mark.parametrize("station", STATIONS)
def test_a_hung_card_times_out_and_the_same_connection_lives_on(station: str) -> None:
    async def play(bench: Bench) -> None:
        await bench.begin(f"silent:{station}")
        before = asyncio.get_running_loop().time()
        with pytest.raises(LinkTimeout):
            await bench.link.read()
        assert asyncio.get_running_loop().time() - before == TIMEOUT_S
        await bench.end()
        assert await reopened(bench)

    on(station, play)


@pytest.mark.parametrize("station", STATIONS)
def test_half_open_times_out_until_a_new_connection_is_made_after_it(station: str) -> None:
    async def play(bench: Bench) -> None:
        await bench.begin(f"half-open:{station}")
        with pytest.raises(LinkTimeout):
            await bench.link.read()
        await bench.link.open()  # taken, and as mute
        await bench.end()
        with pytest.raises(LinkTimeout):
            await bench.link.write("SC-101" if station == "screening" else "SC-302", 10.0)
        assert bench.plc.value("SC-101" if station == "screening" else "SC-302") == 0.0
        assert await reopened(bench)

    on(station, play)


@pytest.mark.parametrize("station", STATIONS)
def test_a_slow_answer_is_old_or_too_late(station: str) -> None:
    async def play(bench: Bench) -> None:
        loop = asyncio.get_running_loop()
        tag = "SC-101" if station == "screening" else "SC-302"
        await bench.begin(f"slow:{station}:0.4")
        before = loop.time()
        reading = asyncio.create_task(bench.link.read([tag]))
        await asyncio.sleep(0.1)
        bench.plc.write(tag, 25.0)
        assert (await reading)[tag].value == 0.0, "the value of when it was asked"
        assert loop.time() - before == pytest.approx(0.4)
        await asyncio.gather(bench.link.read([tag]), bench.link.read([tag]))
        assert loop.time() - before == pytest.approx(1.2), "one at a time"
        await bench.end()
        await bench.begin(f"slow:{station}:1.5")
        with pytest.raises(LinkTimeout):
            await bench.link.write(tag, 42.5)
        assert bench.plc.value(tag) == 42.5, "carried out, though the answer came too late"
        with pytest.raises(LinkDown):
            await bench.link.read()

    on(station, play)


def test_a_slow_answer_is_lost_with_its_connection_or_its_asker() -> None:
    async def play(bench: Bench) -> None:
        await bench.begin("slow:screening:0.4")
        reading = asyncio.create_task(bench.link.read())
        await asyncio.sleep(0.1)
        await bench.begin("rst:screening")
        with pytest.raises(LinkDown, match="lost"):
            await reading
        await bench.link.open()
        reading = asyncio.create_task(bench.link.read())
        await asyncio.sleep(0.1)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        with pytest.raises(LinkDown):
            await bench.link.read()

    on("screening", play)


def test_swapped_words_are_what_a_swapped_pair_is() -> None:
    async def play(bench: Bench) -> None:
        bench.plc.overrides["WT-102"] = lambda _true: 800.0  # float32 0x44480000
        bench.plc.overrides["WQ-102"] = lambda _true: 1234.56  # uint32, scale 0.01: 0x0001E240
        bench.plc.overrides["AT-106"] = lambda _true: 21.5  # int16
        await bench.begin("word-order:screening")
        found = await bench.link.read()
        assert found["WT-102"].value == pytest.approx(2.448e-41, rel=1e-3)  # 0x00004448, a denormal
        assert found["WQ-102"].value == pytest.approx(0xE2400001 * 0.01)
        assert found["AT-106"].value == 21.5
        await bench.link.write("OWN-100", 1)
        assert bench.plc.value("OWN-100") == 65536.0
        assert await bench.number("OWN-100") == 1.0, "it reads back as written"
        await bench.end()
        assert await bench.number("WT-102") == 800.0
        assert await bench.number("OWN-100") == 65536.0

    on("screening", play)


def test_exceptions_mean_what_their_code_means() -> None:
    async def play(bench: Bench) -> None:
        for code, status in (
            (4, Status.BAD_DEVICE_FAILURE),
            (6, Status.BAD_TIMEOUT),
            (11, Status.BAD_NO_COMMUNICATION),
        ):
            await bench.begin(f"exception:screening:{code}")
            assert {reading.status for reading in (await bench.link.read()).values()} == {status}
            with pytest.raises(DeviceRefused):
                await bench.link.write("SC-101", 10.0)
            await bench.end()
        assert (await bench.link.read())["SC-101"].value == 0.0

    on("screening", play)


@pytest.mark.parametrize("station", STATIONS)
def test_a_frozen_program_shows_old_values_and_an_old_sequence(station: str) -> None:
    async def play(bench: Bench) -> None:
        sequence = next(tag for tag in bench.plc.points if tag.startswith("SEQ"))
        await bench.begin(f"freeze:{station}")
        old = await bench.link.read()
        for _ in range(5):
            bench.step()
        assert await bench.link.read() == old
        await bench.end()
        bench.step()
        assert await bench.number(sequence) == old[sequence].value + 1  # type: ignore[operator]

    on(station, play)


@pytest.mark.parametrize("station", STATIONS)
def test_other_troubles_of_a_plc(station: str) -> None:
    tag = "SC-101" if station == "screening" else "SC-302"
    start = "XI-100" if station == "screening" else "XI-300"

    async def play(bench: Bench) -> None:
        await bench.link.write(tag, 30.0)
        await bench.begin(f"ignore-writes:{station}")
        await bench.link.write(tag, 50.0)
        assert await bench.number(tag) == 30.0
        await bench.end()
        await bench.begin(f"external-write:{station}:{tag}=12.5")
        assert await bench.number(tag) == 12.5
        number = await bench.number(start)
        await bench.begin(f"reboot:{station}")
        with pytest.raises(LinkDown):
            await bench.link.read()
        found = await reopened(bench)
        assert (found[start].value, found[tag].value) == (number + 1, 0.0)

    on(station, play)


@pytest.mark.parametrize("ahead_s", [3600.0, -3600.0])
def test_a_clock_that_jumps_is_seen_in_the_stamps_and_moves_no_sample(ahead_s: float) -> None:
    """The device's stamps are off by the jump; the controller, which ties them to its own clock, keeps its times."""

    async def play(bench: Bench) -> None:
        async def stamp() -> float:
            found = (await bench.link.read(["TT-309"]))["TT-309"].source_time
            assert found is not None
            return found

        clock, source = asyncio.get_running_loop(), SourceTime()

        async def sample_ages() -> set[float]:
            stamps = [reading.source_time for reading in (await bench.link.read()).values()]
            return {clock.time() - at for at in source.stamp(stamps, clock.time(), 1.0)}

        assert await stamp() == clock.time()
        assert await sample_ages() == {0.0}
        await asyncio.sleep(1.0)
        await bench.begin(f"clock-jump:drying:{ahead_s:.0f}")
        assert await stamp() == clock.time() + ahead_s
        assert await sample_ages() == {0.0}
        await bench.end()
        await asyncio.sleep(1.0)
        assert await stamp() == clock.time()
        assert await sample_ages() == {0.0}
        await bench.begin("freeze:drying")
        await asyncio.sleep(5.0)
        assert await sample_ages() == {5.0}, "stamps that stand still grow old"

    on("drying", play)


@pytest.mark.parametrize("station", ["screening", "grinding"])
def test_nobody_sees_the_clock_of_a_station_on_modbus(station: str) -> None:
    async def play(bench: Bench) -> None:
        with pytest.raises(FaultError, match=r"carries no time stamps.*accepted: drying"):
            await bench.begin(f"clock-jump:{station}:3600")

    on(station, play)


@pytest.mark.parametrize(
    ("fault", "shown"),
    [
        ("nan:drying:TT-309", None),
        ("offset:drying:TT-309=7", 7.0),
        ("stuck:drying:TT-309", 0.0),
        ("drift:drying:TT-309=3600", 10.0),
        ("noise:drying:TT-309=0", 0.0),
        ("dropout:drying:TT-309=1", None),
    ],
)
def test_troubles_of_an_instrument(fault: str, shown: float | None) -> None:
    async def play(bench: Bench) -> None:
        true = await bench.number("TT-309")
        await bench.begin(fault)
        bench.floor.time_s += 10.0  # the plant itself stands still
        reading = (await bench.link.read())["TT-309"]
        assert reading.value == (None if shown is None else pytest.approx(true + shown))
        assert reading.status is (Status.BAD_SENSOR_FAILURE if shown is None else Status.GOOD)
        await bench.end()
        assert await bench.number("TT-309") == true

    on("drying", play)


# -- schedules


def test_schedule_files_and_faults_may_be_mixed_and_are_checked_together(tmp_path: Path) -> None:
    config = line_at_step("demo")
    found = read_faults([str(EXAMPLE), "random", "stone:rasp@5"], config)
    assert found[-2:] == ("random", "stone:rasp@5")
    assert len(found) == 12
    path = tmp_path / "day.yaml"
    path.write_text('kind: schedule\nname: day\nfaults: ["stone:drum@5", "slow:drying:-1"]\n', encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_faults([str(path), "fire:drying"], config)
    told = [str(problem) for problem in caught.value.problems]
    assert len(told) == 3
    assert "day.yaml" in told[0]
    assert "accepted: rasp" in told[0]
    assert "SECONDS 0.001..600" in told[1]
    assert "--fault" in told[2]


def test_the_example_day_is_lived_through_without_a_breach() -> None:
    faults = read_faults([str(EXAMPLE)], line_at_step("demo"))
    outcome = run_trial(Trial("kudzu-lobata-standard", values={"root_kg": 60.0}, faults=faults, watched=True))
    assert outcome.breaches == ()
    assert outcome.record["state"] in ("Complete", "Stopped")


def test_random_schedules_fit_the_line_reach_every_kind_and_are_mostly_of_the_wire_and_instruments() -> None:
    targets = Bench("drying").floor.cabinets
    group_of = {kind.name: group for group, kinds in GROUPS.items() for kind in kinds}
    seen: Counter[str] = Counter()
    for seed in range(1500):
        faults = random_faults(Random(seed), 2000.0)
        assert 1 <= len(faults) <= 4
        for text in faults:
            fault = read_fault(text, targets)
            assert 0.0 <= fault.start_s <= 2000.0
            if not CATALOGUE[fault.name].is_momentary:
                assert fault.end_s - fault.start_s <= 900.0, text
            seen[fault.name] += 1
    assert set(seen) == set(CATALOGUE)
    groups = Counter({group: sum(seen[kind.name] for kind in kinds) for group, kinds in GROUPS.items()})
    often = groups["wire"] + groups["PLC"] + groups["instruments"]
    assert 0.7 < often / sum(groups.values()) < 0.9
    assert group_of.keys() == CATALOGUE.keys()


def test_random_schedules_depend_on_the_seed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = [random_faults(Random(seed)) for seed in range(200)]
    assert drawn == [random_faults(Random(seed)) for seed in range(200)]
    assert len({tuple(faults) for faults in drawn}) > 190
    turned = {group: tuple(reversed(kinds)) for group, kinds in reversed(list(GROUPS.items()))}
    monkeypatch.setattr(upsets, "GROUPS", turned)
    assert drawn == [random_faults(Random(seed)) for seed in range(200)]
