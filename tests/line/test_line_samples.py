"""Laboratory values of a finished run: a new version of its record, by whom and why, also when the history is away."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from linecontrol.config import read_line
from linecontrol.core.errors import ConfigError, StorageError
from linecontrol.core.image import ProcessImage
from linecontrol.core.model import Event, Sample, Status
from linecontrol.history import Historian, RunRow
from linecontrol.line.balances import AGAIN_S, BalanceDesk
from linecontrol.line.build import line_tags
from linecontrol.line.lab import LabBook
from linecontrol.line.runs import RunDirector
from linecontrol.line.samples import SampleBook

T0 = 1_750_000_000.0
RUN = "20260112-lobata"
FED = {"WQ-102": 300.0, "FQ-104": 0.915, "FQ-203": 2.2, "WQ-208": 120.0, "FQ-212": 2.23, "WQ-207": 72.7}
MADE = {"WQ-313": 51.5, "WQ-314": 0.2, "WQ-315": 0.0, "JQ-110": 5.0, "JQ-210": 20.0, "JQ-316": 60.0, "JQ-321": 50.0}
METERS = {"AT-106": 16.6, "MT-207": 37.25, "MT-306": 12.8, "WT-301": 1.0}


@dataclass
class Bench:
    """Books and desk beside a real historian, around a run that has ended; no plant and no engine."""

    historian: Historian
    now: float = T0
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.config = read_line("demo")
        self.image = SimpleNamespace(as_of=self.looked)
        self.shown = dict.fromkeys((*FED, *MADE), 100.0) | METERS
        self.clock = SimpleNamespace(now=lambda: self.now)
        self.lab = LabBook(cast(Any, self))
        self.samples = SampleBook(cast(Any, self))
        self.balances = BalanceDesk(cast(Any, self))
        self.runs = RunDirector(cast(Any, self))

    def looked(self, now: float) -> dict[str, Sample]:
        return {name: Sample(value, Status.GOOD, now) for name, value in self.shown.items()}

    def emit(self, event: Event) -> None:
        self.events.append(event)

    async def have_run(self, state: str = "Complete") -> None:
        """A run of an hour that a controller has seen to its end, and was then stopped."""
        self.balances.begin()
        self.now += 3600.0
        for name, amount in (FED | MADE).items():
            self.shown[name] += amount
        self.balances.tick(self.now)
        snapshot = json.loads(json.dumps({"sums": self.balances.state()}))
        record = {"run_id": RUN, "state": state, "powder_kg": 51.5, "extraction_yield": 0.88}
        row = RunRow(RUN, "kudzu", "h", state, self.now, T0, self.now, record, snapshot)
        await self.historian.save_run(row)
        await self.balances.take_up(await self.runs.last())

    async def record(self) -> dict[str, Any]:
        found = await self.runs.record(RUN)
        assert found is not None
        return found

    async def versions(self) -> list[tuple[int, str]]:
        return [(row.version, row.who) for row in await self.historian.versions(RUN)]


@asynccontextmanager
async def bench(folder: Path) -> AsyncIterator[Bench]:
    config = read_line("demo")
    url = f"sqlite:///{folder / 'history.sqlite3'}"
    historian = Historian(url, folder / "spool", "demo", line_tags(config), flush_s=0.02)
    await historian.start()
    found = Bench(historian)
    assert ProcessImage(line_tags(config)).tags.keys() >= found.shown.keys()
    try:
        yield found
    finally:
        found.balances.close()
        await historian.stop()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconcile in this process: that it may be another one is the subject of one test."""

    async def here(work: Any, *args: Any) -> Any:
        return work(*args)

    monkeypatch.setattr("linecontrol.line.balances.aside", here)


@pytest.mark.usefixtures("at_once")
async def test_late_values_make_versions_and_say_who_and_why(tmp_path: Path) -> None:
    async with bench(tmp_path) as line:
        await line.have_run()
        first = await line.record()
        assert first["version"] == 1
        assert first["extraction_yield"] == 0.88, "the yield as measured stays"
        assert 0.8 < first["extraction_yield_reconciled"] < 0.95
        assert await line.versions() == [(1, "controller")]

        line.now += 20 * 3600.0  # the next day
        row = await line.samples.add("PULP-BOUND", 1.62, who="li", run_id=RUN)
        assert (row["run_id"], row["u"], row["unit"], row["verdict"]) == (RUN, 0.08, "% wb", "used")
        second = await line.record()
        assert second["version"] == 2
        assert second["version_by"] == "li"
        assert "PULP-BOUND 1.62 ± 0.08 % wb" in second["version_why"]
        assert second["extraction_yield_reconciled_u"] < first["extraction_yield_reconciled_u"]
        assert second["balance"]["streams"]["pulp.bound"]["measured"] == pytest.approx(0.0162)

        wrong = await line.samples.add("DRAIN-STARCH", 11.5, who="li", run_id=RUN, u=0.05)  # a slip of the point
        assert (await line.record())["balance"]["gross_error"]["found"]
        assert [event.kind for event in line.events][-1] == "balance.gross_error"
        line.now += 60.0
        await line.samples.add("DRAIN-STARCH", 1.15, who="wang", run_id=RUN, replaces=wrong["lab_id"])
        last = await line.record()
        assert not last["balance"]["gross_error"]["found"]
        assert f"instead of {wrong['lab_id']}" in last["version_why"]
        assert await line.versions() == [(1, "controller"), (2, "li"), (3, "li"), (4, "wang")]
        kept = await line.historian.versions(RUN)
        assert kept[0].record == first
        assert kept[-1].record == last

        again = await line.samples.add("DRAIN-STARCH", 1.15, who="wang", run_id=RUN, lab_id=wrong["lab_id"])
        assert again["verdict"] == "replaced", "told again under its own name it changes nothing"
        assert len(await line.versions()) == 4
        restarted = SampleBook(cast(Any, line))
        assert [row["value"] for row in await restarted.rows("DRAIN-STARCH")] == [1.15, 11.5]


@pytest.mark.usefixtures("at_once")
async def test_a_run_that_was_aborted_is_not_taken_for_one_that_ran_empty(tmp_path: Path) -> None:
    async with bench(tmp_path) as line:
        await line.have_run("Aborted")
        record = await line.record()
        assert record["balance"]["streams"]["roots.left"]["kind"] == "none"
        assert "did not come to its end" in record["balance"]["streams"]["slurry_left"]["source"]
        assert not record["balance"]["gross_error"]["found"]


@pytest.mark.usefixtures("at_once")
async def test_what_does_not_fit_is_refused_with_what_is_accepted(tmp_path: Path) -> None:
    async with bench(tmp_path) as line:
        await line.have_run()
        for wish, said in (
            ({"value": 55.0}, "0 to 20 % wb"),
            ({"value": 1.6, "u": -1.0}, "above 0"),
            ({"value": 1.6, "run_id": "none-such"}, "there is no run 'none-such'"),
            ({"value": 1.6, "sampled_at": T0 - 60.0}, "before the run began"),
            ({"value": 1.6, "sampled_at": line.now + 600.0}, "in the future"),
            ({"value": 1.6, "run_id": None}, "neither the run nor the time"),
            ({"value": 1.6, "run_id": None, "sampled_at": T0 - 60.0}, "name the run"),
            ({"value": 1.6, "replaces": "L-none"}, "there is no value 'L-none'"),
        ):
            with pytest.raises(ConfigError, match=said):
                await line.samples.add("PULP-BOUND", **{"who": "li", "run_id": RUN, **wish})
        assert await line.versions() == [(1, "controller")]
        row = await line.samples.add("PULP-BOUND", 1.6, who="li", sampled_at=T0 + 600.0)
        assert row["run_id"] == RUN, "the run that was under way then"


async def test_a_version_that_cannot_be_made_is_made_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench(tmp_path) as line:
        await line.have_run()
        await line.samples.rows()

        async def away(*_args: object) -> None:
            raise StorageError("the database is away")

        with monkeypatch.context() as broken:
            broken.setattr(line.historian, "save_version", away)
            await line.samples.add("PULP-FREE", 0.12, who="li", run_id=RUN)
        assert await line.versions() == [(1, "controller")]
        assert "it is tried again" in line.events[-1].text
        line.balances.again(line.now + AGAIN_S)
        assert line.balances._trying is not None
        await line.balances._trying
        assert await line.versions() == [(1, "controller"), (2, "li")]
