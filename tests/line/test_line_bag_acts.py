"""Decisions about a bag that somebody else decides about, or the guard suspects, while they are kept."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest
from desk_rig import RUN, T0, Desks, Slow, desks

from linecontrol.core.errors import StateError, StorageError
from linecontrol.core.model import Text
from linecontrol.guard.deviations import Deviation
from linecontrol.guard.genealogy import Suspect
from linecontrol.history import BagRow
from linecontrol.line.signing import Signer

BAG = f"{RUN}-B001"
BOSS, OTHER = (Signer(f"operator:{name}", "supervisor", "I decide this") for name in ("wang", "zhao"))
NEWS = ("D9-CCP1-moisture", 0.5, "CCP1-moisture: 14.6 % wb > 14 % wb")


def with_bag(line: Desks, status: str, *, in_hand: bool = True) -> BagRow:
    bag = BagRow(BAG, RUN, 1, status, T0, T0 + 8.0, T0 + 8.0, 25.0, 12.9, 13.1, 22.0, 0.61, 0.5, 0.8)
    line.historian.kept.bags[BAG] = bag
    if in_hand:
        line.bags.begin(RUN)
        line.bags.bags[BAG] = bag
    return bag


def told(line: Desks, **changes: object) -> None:
    """What the cycle does when it tells a bag something: a row in memory, and one behind all others of the history."""
    row = replace(line.bags.bags[BAG], **changes)  # type: ignore[arg-type]
    line.bags.bags[BAG] = row
    line.historian.trace(row)


async def under_way(line: Desks, kind: str, by: Signer = BOSS) -> asyncio.Task[object]:
    """A decision whose row is on its way to the history."""
    line.historian.saving.clear()
    line.historian.go.clear()
    found: asyncio.Task[object] = asyncio.create_task(line.bag_acts.decide(BAG, kind, "looked at it", by))
    await line.historian.saving.wait()
    return found


@pytest.mark.parametrize("in_hand", [True, False])
async def test_the_second_of_two_decisions_is_judged_by_what_the_first_has_made_of_the_bag(*, in_hand: bool) -> None:
    async with desks() as line:
        with_bag(line, "held", in_hand=in_hand)
        first = await under_way(line, "reject")
        second = asyncio.create_task(line.bag_acts.decide(BAG, "release", "oven 12.9 %", OTHER))
        await asyncio.sleep(0)
        line.historian.go.set()
        await first
        with pytest.raises(StateError, match="is rejected; to release one it must be held"):
            await second
        assert line.historian.kept.bags[BAG].status == "rejected"
        if in_hand:
            assert line.bags.bags[BAG].status == "rejected"


@pytest.mark.parametrize("takes", ["at once", "at the end"])
async def test_a_bag_that_is_suspected_anew_while_it_is_released_stays_held(takes: str) -> None:
    async with desks(Slow(takes)) as line:
        with_bag(line, "held")
        release = await under_way(line, "release")
        told(line, suspects=[NEWS])
        line.historian.go.set()
        with pytest.raises(StateError, match=r"r1-B001 is held now: CCP1-moisture: 14.6"):
            await release
        assert line.told("bag.released") == []
        for row in (line.bags.bags[BAG], line.historian.kept.bags[BAG]):
            assert (row.status, list(row.suspects)) == ("held", [NEWS])


@pytest.mark.parametrize("takes", ["at once", "at the end"])
async def test_what_else_a_bag_is_told_while_it_is_decided_about_is_kept_with_the_decision(takes: str) -> None:
    async with desks(Slow(takes)) as line:
        with_bag(line, "good")
        reject = await under_way(line, "reject")
        told(line, status="held", suspects=[NEWS], lots=[("west", 1.0, 25.0)])
        line.historian.go.set()
        await reject
        for row in (line.bags.bags[BAG], line.historian.kept.bags[BAG]):
            assert (row.status, list(row.suspects)) == ("rejected", [NEWS])
            assert list(row.lots) == [("west", 1.0, 25.0)]


async def test_a_bag_that_is_told_of_suspect_powder_while_its_suspects_are_read_is_judged_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with desks() as line:
        with_bag(line, "held")
        read = line.historian.deviations
        is_first = True

        async def slow(*args: object, **wish: object) -> object:
            nonlocal is_first
            if is_first:
                is_first = False
                told(line, suspects=[NEWS])
            return await read(*args, **wish)

        monkeypatch.setattr(line.historian, "deviations", slow)
        with pytest.raises(StateError, match="no corrective action with a name is on record for D9-CCP1-moisture"):
            await line.bag_acts.decide(BAG, "release", "oven 12.9 %", BOSS)
        assert line.historian.kept.bags[BAG].status == "held"


async def test_a_bag_of_an_earlier_run_is_held_again_by_a_deviation_that_opens_while_it_is_released(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with desks() as line:
        with_bag(line, "held", in_hand=False)
        monkeypatch.setattr(
            line.bags,
            "told_of",
            lambda bag, found: (
                replace(bag, status="held", suspects=[(one.id, 0.5, one.why) for one in found])
                if found and bag.status == "released"
                else bag
            ),
        )
        release = await under_way(line, "release")
        line.haccp._note(Deviation("CCP1-moisture", T0, T0 + 9.0, 14.6, 14.0, Text("wet", "湿")), T0 + 9.0)
        line.historian.go.set()
        with pytest.raises(StateError, match="is held now"):
            await release
        row = line.historian.kept.bags[BAG]
        assert (row.status, len(row.suspects)) == ("held", 1)


async def earlier_bag(line: Desks, monkeypatch: pytest.MonkeyPatch, status: str = "good") -> None:
    """A bag of a run that has ended, which every deviation touches; the next run is in hand."""
    with_bag(line, status, in_hand=False)

    async def runs(**_: object) -> list[SimpleNamespace]:
        return [SimpleNamespace(run_id=RUN, ended_at=T0 + 60.0, updated_at=T0 + 60.0)]

    def touching(_: object, found: list[Suspect]) -> list[tuple[str, float, str]]:
        return [(one.id, 0.5, one.why) for one in found]

    monkeypatch.setattr(line.historian, "runs", runs)
    monkeypatch.setattr(line.bags, "_touching", touching)
    line.historian.kept.bags[BAG] = replace(line.historian.kept.bags[BAG], passage={"bag": [T0, 8.0, 0.0, 1.0]})
    line.now = T0 + 120.0
    line.bags.begin("r2")


def deviates(line: Desks, ccp: str) -> None:
    """A deviation opens that reaches back to the bag, and the cycle sees it."""
    line.haccp._note(Deviation(ccp, T0, T0 + 9.0, 14.6, 14.0, Text("wet", "湿")), line.now)
    line.bags._look()


async def test_a_bag_of_an_earlier_run_that_is_rejected_while_a_deviation_reaches_back_to_it_stays_rejected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with desks(Slow("at the end")) as line:
        await earlier_bag(line, monkeypatch)
        line.historian.go.clear()
        deviates(line, "CCP1-moisture")
        await line.historian.saving.wait()  # it is being held
        reject = asyncio.create_task(line.bag_acts.decide(BAG, "reject", "smells", BOSS))
        await asyncio.sleep(0)
        line.historian.go.set()
        await reject
        await line.bags._telling
        row = line.historian.kept.bags[BAG]
        assert (row.status, len(row.suspects)) == ("rejected", 1)


async def test_a_deviation_that_opens_while_bags_are_told_of_another_is_told_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with desks() as line:
        await earlier_bag(line, monkeypatch)
        line.historian.go.clear()
        deviates(line, "CCP1-moisture")
        await line.historian.saving.wait()
        deviates(line, "CCP2-metal")
        line.historian.go.set()
        await line.bags._telling
        assert len(line.haccp.known()) == 2
        row = line.historian.kept.bags[BAG]
        assert (row.status, {name for name, _, _ in row.suspects}) == (
            "held",
            {d.deviation_id for d in line.haccp.known()},
        )


async def test_a_decision_that_cannot_be_kept_leaves_the_bag_as_it_was() -> None:
    async with desks() as line:
        bag = with_bag(line, "good")
        line.historian.fails = True
        with pytest.raises(StorageError, match="not durable"):
            await line.bag_acts.decide(BAG, "hold", "smells", BOSS)
        assert line.bags.bags[BAG] == line.historian.kept.bags[BAG] == bag
        line.historian.fails = False
        await line.bag_acts.decide(BAG, "hold", "smells", BOSS)
        assert line.bags.bags[BAG].status == line.historian.kept.bags[BAG].status == "held"


async def test_who_acted_is_told_one_way_whatever_kind_of_suspect_interval_it_was() -> None:
    async with desks() as line:
        await line.haccp.load()
        line.bags.begin(RUN)
        line.haccp._note(Deviation("CCP1-moisture", T0, T0 + 2.0, 14.6, 14.0, Text("wet", "湿")), T0 + 2.0)
        (deviation,) = line.haccp.known()
        line.bags.suspects.own.append(Suspect("bag", T0, T0 + 2.0, "not looked at", "r1-S01"))
        touched = [(deviation.deviation_id, 0.5, "wet"), ("r1-S01", 0.5, "not looked at")]
        bag = with_bag(line, "held", in_hand=False)
        line.bags.bags[BAG] = replace(bag, suspects=touched)
        for suspect in (deviation.deviation_id, "r1-S01"):
            await line.bag_acts.act_on(RUN, suspect, "dried again", Signer("operator:li", "operator"))
        assert line.historian.kept.deviations[deviation.deviation_id].acted_by == "li", "as over the deviations"
        view = await line.bag_acts.bags(RUN)
        assert {one["id"]: one["acted_by"] for one in view["suspects"]} == {name: "li" for name, _, _ in touched}
