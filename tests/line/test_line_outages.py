"""Device faults inside a run, twice in a row, on both protocols: killed, hung, exception, NaN.

Every tag of the device goes BAD, an event says so, history holds a bad row where the outage begins and a good one where
it ends, and values are good again by themselves. How fast is measured by tests/benchmarks/outage.py.
"""

import asyncio
from pathlib import Path

import pytest
from line_rig import Simulator, demo_at, driven, end, simulator, start_simulator, started, until

from linecontrol.core.model import Event, Quality
from linecontrol.line.assembly import Line

SPEED = 5.0
STATIONS = ("screening", "drying")


def qualities(line: Line, station: str) -> set[Quality]:
    now = line.clock.now()
    return {line.image.at(name, now).status.quality for name in line.stations[station].tags}


def is_all_bad(line: Line, station: str) -> bool:
    return qualities(line, station) == {Quality.BAD}


def is_good(line: Line, station: str) -> bool:
    """Everything but the moisture meter, which has nothing to look at while no powder is made."""
    now = line.clock.now()
    return all(line.image.at(name, now).is_good for name in line.stations[station].tags if name != "MT-306")


async def outage(line: Line, events: list[Event], begin: object, finish: object, stations: tuple[str, ...]) -> None:
    """One outage: all tags BAD and told, then good again, and both ends in the history."""
    await until(lambda: all(is_good(line, name) for name in stations))
    events.clear()
    began = line.clock.now()
    await begin()  # type: ignore[operator]
    await until(lambda: all(is_all_bad(line, name) for name in stations))
    await until(lambda: {e.source for e in events if e.active and e.severity.value == "alarm"} >= set(stations))
    assert all(line.image.at(tag, line.clock.now()).value is None for s in stations for tag in line.stations[s].tags)
    await finish()  # type: ignore[operator]
    await until(lambda: all(is_good(line, name) for name in stations))
    await asyncio.sleep(0)
    await line.historian.flush()
    tags = [
        tag
        for name in stations
        for tag in ("SEQ-100", "WT-101", "SEQ-300", "TT-303")
        if tag in line.stations[name].tags
    ]
    for tag, samples in (await line.historian.samples(tags, began)).items():
        seen = [sample.is_good for sample in samples]
        first_bad = seen.index(False)
        assert True in seen[first_bad:], f"{tag}: no good row after the outage"
        assert seen.count(False) <= 3, f"{tag}: {seen.count(False)} bad rows; one marks where an outage begins"
        assert all(sample.value is None for sample in samples if not sample.is_good)


@pytest.mark.timeout(300)
async def test_every_fault_twice_inside_a_run(tmp_path: Path) -> None:
    async with simulator(SPEED) as first:
        sim: Simulator = first
        async with driven(demo_at(sim.endpoints), tmp_path, SPEED) as line:
            events: list[Event] = []
            line.listeners.append(events.append)
            await started(line, "kudzu-lobata-standard", {}, "operator:test")
            await until(lambda: line.image.latest("XS-101").value is True)
            tasks = len(asyncio.all_tasks())

            async def nothing() -> None:
                pass

            for _ in range(2):
                for kind in ("silent", "exception"):
                    for station in STATIONS:
                        await outage(
                            line,
                            events,
                            lambda k=kind, s=station: sim.tell(f"fault {k}:{s}"),
                            lambda: sim.tell("clear all"),
                            (station,),
                        )

                async def freeze() -> None:
                    sim.freeze()

                async def thaw() -> None:
                    sim.thaw()

                await outage(line, events, freeze, thaw, STATIONS)

                async def revive() -> None:
                    nonlocal sim
                    sim = await start_simulator(SPEED, ports=first.endpoints)

                await outage(line, events, sim.kill, revive, STATIONS)
            try:
                assert line.runs.state is not None
                assert line.runs.state.value == "Held"
                assert len(asyncio.all_tasks()) <= tasks + 5
            finally:
                await end(sim.process)


async def test_a_nan_is_bad_alone_told_and_recorded(tmp_path: Path) -> None:
    async with simulator(SPEED) as sim, driven(demo_at(sim.endpoints), tmp_path, SPEED) as line:
        events: list[Event] = []
        line.listeners.append(events.append)
        for station, tag, neighbour in (("screening", "WT-101", "AT-106"), ("drying", "TT-304", "TT-303")):
            for _ in range(2):
                await until(lambda t=tag: line.image.latest(t).is_good)
                began = line.clock.now()
                await sim.tell(f"fault nan:{station}:{tag}")
                await until(lambda t=tag: line.image.latest(t).status.quality is Quality.BAD)
                assert line.image.latest(tag).value is None
                assert line.image.latest(neighbour).is_good
                await until(lambda t=tag: any(t in e.data.get("tags", ()) for e in events if e.kind == "quality.bad"))
                await sim.tell(f"clear nan:{station}:{tag}")
                await until(lambda t=tag: line.image.latest(t).is_good)
                await line.historian.flush()
                rows = (await line.historian.samples([tag], began))[tag]
                assert [row.value for row in rows if not row.is_good] == [None]
                assert rows[-1].is_good
                events.clear()
        part = next(task for task in asyncio.all_tasks() if task.get_name() == "station drying")
        part.cancel()  # whatever ends a part of the controller: nothing ends without a word
        await until(lambda: any(e.text == "station drying failed: broken off" for e in events))


async def test_starting_while_a_plc_is_down_waits_and_says_so(tmp_path: Path) -> None:
    async with simulator(SPEED) as sim:
        config = demo_at(sim.endpoints)
        await sim.kill()
        from linecontrol.line.assembly import assemble

        said: list[Event] = []
        line = assemble(config, data=tmp_path, speed=SPEED)
        line.listeners.append(said.append)
        async with line:
            await until(lambda: sum(e.kind == "link.down" for e in said) == 3)
            waiting = asyncio.create_task(line.ready())
            await asyncio.sleep(0)  # it has begun
            waiting.cancel()  # as by Ctrl-C
            await asyncio.gather(waiting, return_exceptions=True)
            assert not [task for task in asyncio.all_tasks() if "_until" in repr(task.get_coro())]
            again = await start_simulator(SPEED, ports=sim.endpoints)
            try:
                async with asyncio.timeout(60):
                    await line.ready()
                assert all(is_good(line, name) for name in line.stations)
            finally:
                await end(again.process)
