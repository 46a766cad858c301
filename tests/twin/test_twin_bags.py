"""Bags on the twin: what the controller says of them against what the plant really put into them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from linecontrol.core.errors import StateError
from linecontrol.core.model import Event
from linecontrol.guard.genealogy import Passage
from linecontrol.history import BagRow
from linecontrol.line.assembly import Line
from linecontrol.line.signing import Signer
from linecontrol.twin import trial
from linecontrol.twin.loop import run_virtual
from linecontrol.twin.operators import Attendant
from linecontrol.twin.trial import Trial, Twin
from simulator import material as m
from simulator.machines.bags import Bag, Bagging
from simulator.material import Material
from simulator.plant import Plant

HOPPER_KG = 60.0
TRIAL = Trial(
    "kudzu-lobata-standard",
    values={"root_kg": 100.0},
    plant={"packing.bag_kg": 2.2, "hopper.start_kg": HOPPER_KG, "clocks.brown_points_h": 0.0},
    faults=("offset:drying:MT-306=+3@2250+60",),
    watched=True,
)


def mark(parcels: Iterable[Material]) -> None:
    """Roots with a tracer that mixes as they do: browning, which does not grow in this trial."""
    for parcel in parcels:
        parcel[m.BROWN] = m.dry_kg(parcel) - parcel[m.SOIL]  # soil is washed off without it


def note_shares(bagging: Bagging, shares: list[float]) -> None:
    """Write down the tracer in each bag as it is closed."""
    close = bagging._close

    def noted(room_c: float, time_s: float) -> None:
        shares.append(bagging._open[m.BROWN] / m.dry_kg(bagging._open))
        close(room_c, time_s)

    setattr(bagging, "_close", noted)  # noqa: B010 - a method of one object


class Crew(Attendant):
    """Tips another lot, with a tracer in it, while the first still lies in the hopper."""

    plant: Plant
    changed_at = math.nan

    async def look(self) -> None:
        record = self.line.runs.current_record()
        if math.isnan(self.changed_at) and (record["root_kg"] or 0.0) > 20.0:
            self.changed_at = self.line.clock.now()
            parcels = self.plant.hopper._parcels
            before = len(parcels)
            self.plant.load(300.0, self.plant.lot)  # as rich in starch: this is about mixing
            mark(list(parcels)[before:])
            await self.line.lots.use("r", "east", who="operator:li")


@dataclass
class Seen:
    bags: dict[str, BagRow]
    true: list[Bag]
    record: dict[str, Any]
    view: dict[str, Any]
    refused: str
    released: dict[str, Any]
    breaches: list[Any]
    changed_at: float
    shares: list[float]
    later: dict[int, str]
    tipped: list[Event]


async def whole() -> Seen:
    twin, shares = Twin(TRIAL), list[float]()
    note_shares(twin.plant.packing.bagging, shares)
    passing = asyncio.create_task(twin.pass_time())
    try:
        line: Line
        async with twin.line as line:
            await line.ready()
            await line.lots.add("west", "lobata", 900.0, who="operator:li", origin="云阳", harvested="2026-01-10")
            await line.lots.add("east", "thomsonii", 700.0, who="operator:li")
            await line.runs.start(TRIAL.recipe, TRIAL.values, who="operator:li", run_id="r", lot="west")
            crew = Crew(line, "r", "operator:li")
            crew.plant = twin.plant
            working = asyncio.create_task(crew.work())
            await asyncio.wait({working, passing}, return_when=asyncio.FIRST_COMPLETED)
            await line.clock.sleep(60.0)
            view = await line.bag_acts.bags("r")
            held = next(bag["bag_id"] for bag in view["bags"] if bag["status"] == "held")
            boss = Signer("operator:wang", "supervisor", "I release it")
            refused = ""
            try:
                await line.bag_acts.decide(held, "release", "looked at", boss)
            except StateError as error:
                refused = str(error)
            for suspect in view["suspects"]:
                await line.bag_acts.act_on(
                    "r", suspect["id"], "oven value 12.9: powder is dry", Signer("operator:li", "operator")
                )
            released = await line.bag_acts.decide(held, "release", "oven value 12.9", boss)
            record = line.runs.current_record()
            bags = {bag.bag_id: bag for bag in (await line.historian.traced("r")).bags}
            last = bags["r-B008"].opened_at or math.nan
            await line.lab.add("MT-306", 15.5, sampled_at=last + 30.0, who="operator:li", u=0.1)  # after the run
            await line.clock.sleep(5.0)
            later = {bag.number: bag.status for bag in (await line.historian.traced("r")).bags}
        assert twin.watchman is not None
        assert twin.recording is not None
        tipped = [event for event in twin.recording.kept.events if event.kind == "lot.tipped"]
        true = list(twin.plant.packing.bagging.bags)
        return Seen(
            *(bags, true, record, view, refused, released, list(twin.watchman.breaches)),
            *(crew.changed_at, shares, later, tipped),
        )
    finally:
        passing.cancel()
        await asyncio.gather(passing, return_exceptions=True)


@pytest.fixture(scope="module")
def seen() -> Seen:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trial, "TIP_BELOW_KG", 0.0)  # the crew tips
        return run_virtual(whole())


def test_every_bag_is_there_with_its_weight_moisture_and_water_activity(seen: Seen) -> None:
    assert seen.breaches == []
    bags = list(seen.bags.values())
    assert [bag.number for bag in bags] == list(range(1, len(seen.true) + 1))
    for bag, true in zip(bags, seen.true, strict=True):
        assert bag.closed_at is not None
        assert bag.weight_kg == pytest.approx(true.mass_kg, rel=0.02, abs=0.2)
        assert bag.moisture_mean == pytest.approx(true.moisture_pct_wb, abs=0.6) or bag.suspects
        assert bag.aw is not None
        assert bag.aw_low is not None
        assert bag.aw_high is not None
        assert bag.aw_low < true.water_activity < bag.aw_high
    assert sum(bag.weight_kg for bag in bags) == pytest.approx(seen.record["powder_kg"], abs=0.1)
    assert bags[-1].weight_kg < 2.1  # no bag holds powder of two runs: the last is not full


def test_lots_follow_each_other_as_the_tracer_in_the_roots_does(seen: Seen) -> None:
    """Every machine mixes in the plant; the shares of the model lie by what was really in each bag."""
    east = [{lot: share for lot, share, _ in bag.lots}.get("east", 0.0) for bag in seen.bags.values()]
    assert 0.1 < seen.shares[0] < seen.shares[-1] < 0.9  # both lots in every bag: a clock would say one or the other
    assert east == pytest.approx(seen.shares, abs=0.1)
    for bag in seen.bags.values():
        assert sum(share for _, share, _ in bag.lots) == pytest.approx(1.0, abs=1e-3)
        passage = Passage.from_json(bag.passage)
        means = [one.mean for one in passage.spreads.values()]  # from the bag back to the hopper
        assert means == sorted(means, reverse=True)


def test_roots_that_were_tipped_in_are_told_with_their_lot(seen: Seen) -> None:
    (event,) = seen.tipped
    assert event.data["kg"] == pytest.approx(300.0, rel=0.03)
    assert event.data["since"] == pytest.approx(seen.changed_at, abs=10.0)
    assert event.text.endswith("kg came into the hopper (WT-101): roots of lot east")


def test_suspect_powder_is_held_and_released_only_after_somebody_has_acted(seen: Seen) -> None:
    held = [bag for bag in seen.view["bags"] if bag["status"] == "held"]
    assert held
    assert sum(bag["suspect_kg"] for bag in held) == pytest.approx(seen.record["suspect_kg"], abs=0.01)
    assert all(bag["suspects"] for bag in held)
    assert "no corrective action with a name" in seen.refused
    assert seen.released["status"] == "released"
    (act,) = seen.released["acts"]
    assert (act["who"], act["meaning"]) == ("wang", "I release it")


def test_an_oven_value_of_after_the_run_holds_bags_that_were_good(seen: Seen) -> None:
    was = {bag.number: bag.status for bag in seen.bags.values()}
    assert was[8] == "good"
    assert seen.later[8] == "held"
    assert seen.later[1] == "held"  # released before anybody knew of it
