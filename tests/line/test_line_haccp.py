"""Deviations that people act on while the cycle follows them, and while the history is slow, fails or is away."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from desk_rig import T0, Desks, Slow, desks, read_again

from linecontrol.core.errors import StateError, StorageError
from linecontrol.core.model import Text
from linecontrol.guard.deviations import Deviation
from linecontrol.history import DeviationRow
from linecontrol.line import loading
from linecontrol.line.haccp import UnknownDeviation
from linecontrol.line.signing import Signer

CCP = "CCP1-moisture"
WET = Deviation(CCP, T0 - 60.0, T0, 14.6, 14.0, Text("wet", "湿"))
BOSS = Signer("operator:wang", "supervisor", "I close this deviation")
OLD = DeviationRow(
    "D1-CCP1-moisture", "before", CCP, "ccp", "packing", T0 - 90.0, T0 - 60.0, None,
    14.6, 14.0, "% wb", "wet", "湿", "rework", "返工", "operator",
)  # fmt: skip


def opened(line: Desks) -> str:
    """A deviation that has just opened; answers its id."""
    line.haccp._note(WET, line.now)
    (row,) = line.haccp.known()
    return row.deviation_id


@pytest.mark.parametrize("takes", ["at once", "at the end"])
async def test_what_the_cycle_finds_out_while_an_action_is_kept_is_not_lost_and_nor_is_the_action(takes: str) -> None:
    async with desks(Slow(takes)) as line:
        await line.haccp.load()
        key, history = opened(line), line.historian
        history.go.clear()
        act = asyncio.create_task(line.haccp.act(key, "li", "dried again"))
        await history.saving.wait()
        line.haccp._note(replace(WET, suspect_kg=2.5), T0 + 1.0)
        line.haccp._note(replace(WET, suspect_kg=3.0, until=T0 + 2.0), T0 + 3.0)
        (row,) = line.haccp.known()
        assert (row.until, row.suspect_kg, row.state) == (T0 + 2.0, 3.0, "open"), "not durable yet"
        history.go.set()
        assert (await act)["until"] is not None
        (row,) = line.haccp.known()
        assert (row.until, row.suspect_kg, row.state, row.action) == (T0 + 2.0, 3.0, "acted", "dried again")
        assert history.kept.deviations[key] == row
        assert (await line.haccp.verify(key, BOSS, "seen"))["state"] == "closed"
        assert history.kept.deviations[key].closed_by == "wang"


async def test_of_two_actions_at_once_both_are_on_record_and_none_comes_after_the_end() -> None:
    async with desks() as line:
        await line.haccp.load()
        key, history = opened(line), line.historian
        line.haccp._note(replace(WET, until=T0 + 2.0), T0 + 3.0)
        history.go.clear()
        acts = [asyncio.create_task(line.haccp.act(key, who, f"done by {who}")) for who in ("li", "chen")]
        await history.saving.wait()
        history.go.set()
        await asyncio.gather(*acts)
        assert history.kept.deviations[key].action == "done by li; done by chen"
        history.saving.clear()
        history.go.clear()
        close = asyncio.create_task(line.haccp.verify(key, BOSS, "seen"))
        await history.saving.wait()
        late = asyncio.create_task(line.haccp.act(key, "li", "once more"))
        await asyncio.sleep(0)
        history.go.set()
        await close
        with pytest.raises(StateError, match="was closed by wang"):
            await late
        assert history.kept.deviations[key].state == "closed"


async def test_an_action_that_cannot_be_kept_was_not_done_in_memory_or_in_the_history() -> None:
    async with desks() as line:
        await line.haccp.load()
        key, history = opened(line), line.historian
        history.fails = True
        history.go.clear()
        act = asyncio.create_task(line.haccp.act(key, "li", "dried again"))
        await history.saving.wait()
        line.haccp._note(replace(WET, until=T0 + 2.0), T0 + 3.0)
        history.go.set()
        with pytest.raises(StorageError, match="not durable"):
            await act
        (row,) = line.haccp.known()
        assert (row.state, row.action, row.until) == ("open", "", T0 + 2.0)
        assert history.kept.deviations[key] == row
        assert line.told("haccp.acted") == []
        history.fails = False
        assert (await line.haccp.act(key, "li", "dried again"))["action"] == "dried again"
        assert history.kept.deviations[key].state == "acted"


async def test_deviations_of_a_history_that_was_away_are_taken_up_later_beside_those_of_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loading, "AGAIN_S", 0.01)
    async with desks() as line:
        history = line.historian
        history.kept.deviations[OLD.deviation_id] = OLD
        history.is_away = True
        await line.haccp.load()
        key, before = opened(line), line.haccp.changes
        await line.haccp.act(key, "li", "dried again")
        with pytest.raises(StorageError, match="cannot be read now"):
            await line.haccp.act(OLD.deviation_id, "li", "dried again")
        line.now += 100.0
        history.is_away = False
        await read_again(line.haccp)
        old, new = line.haccp.known()
        assert (old.deviation_id, old.until) == (OLD.deviation_id, T0), "suspect until this controller looked"
        assert "its end is not known" in old.note
        assert history.kept.deviations[OLD.deviation_id] == old
        assert (new.until, new.action) == (None, "dried again")
        assert line.haccp.changes > before, "bags are told"
        assert (await line.haccp.act(OLD.deviation_id, "li", "reworked"))["state"] == "acted"
        with pytest.raises(UnknownDeviation):
            line.haccp.standing("D2-none")


async def test_who_acted_is_a_name_also_where_an_older_record_has_more() -> None:
    async with desks() as line:
        history = line.historian
        old = replace(OLD, until=T0, state="acted", action="dried", acted_by="operator:li")
        history.kept.deviations[OLD.deviation_id] = old
        await line.haccp.load()
        (row,) = await line.haccp.deviations()
        assert row["acted_by"] == "li"
