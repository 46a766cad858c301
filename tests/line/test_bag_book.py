"""The book of bags on a line that the test plays: what fell in unseen, and what is too little for a bag."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from linecontrol.config import read_line
from linecontrol.core.image import ProcessImage, Scan
from linecontrol.core.model import Command, Event, Sample, Status
from linecontrol.history import BagRow
from linecontrol.history.lots import Traced
from linecontrol.line.bags import BagBook

DEMO = read_line("demo")
assert DEMO.line.guard is not None
TOTAL = DEMO.line.guard.good_total


class PlayedLine:
    """What the book asks of a line."""

    def __init__(self) -> None:
        self.config = DEMO
        self.image = ProcessImage(list(DEMO.tags))
        self.traced: list[BagRow] = []
        self.events: list[Event] = []
        self.now = 0.0
        self.clock = SimpleNamespace(now=lambda: self.now, real=lambda: self.now)
        self.runs = SimpleNamespace(is_under_way=True)
        self.quality = SimpleNamespace(spoilage=None, isotherm=None)
        self.haccp = SimpleNamespace(changes=0, known=list, tells=lambda _since, _now: False)
        self.lots = SimpleNamespace(begin=lambda *_: None, look=lambda *_: None, spans=list)
        self.writes = SimpleNamespace(submit=self._written)
        asked = {"traced": self._nothing_traced, "samples": self._no_samples}
        self.historian = SimpleNamespace(trace=self.traced.append, **asked)
        self.written: list[Command] = []
        self.book = BagBook(cast(Any, self))

    def _written(self, command: Command) -> None:
        self.written.append(command)

    async def _nothing_traced(self, _run_id: str) -> Traced:
        return Traced()

    async def _no_samples(self, *_: Any) -> dict[str, Any]:
        return {}

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def is_available(self, _tag: str) -> bool:
        return True

    def shows(self, total_kg: float | None, bags: float = 0.0) -> None:
        """One second later the counters stand here; None = the total is not measured."""
        self.now += 1.0
        rows = DEMO.line.bags
        assert rows is not None
        values: dict[str, float | None] = {TOTAL: total_kg, rows.moisture: 12.5, rows.temperature: 20.0}
        if rows.count is not None:
            values[rows.count] = bags
        by_station: dict[str, dict[str, Sample]] = {}
        for name, value in values.items():
            status = Status.GOOD if value is not None else Status.BAD_SENSOR_FAILURE
            by_station.setdefault(self.image.tags[name].station, {})[name] = Sample(value, status, self.now)
        for station, samples in by_station.items():
            self.image.publish(Scan(station, self.now, samples))
        self.book.tick(self.now)


async def taken_up(last_kg: float) -> PlayedLine:
    """A run of a controller that stopped when the total stood at ``last_kg``."""
    line = PlayedLine()
    before = PlayedLine()
    before.book.begin("r1")
    before.shows(last_kg)
    await line.book.take_up("r1", before.book.to_dict())
    return line


@pytest.mark.parametrize(("first_kg", "unseen_kg"), [(100.0, 0.0), (104.0, 4.0)])
async def test_only_what_came_before_the_first_reading_fell_in_unseen(first_kg: float, unseen_kg: float) -> None:
    line = await taken_up(100.0)
    line.shows(None)
    line.shows(first_kg)
    line.shows(first_kg + 3.0)  # made under watch
    bag = line.book.open
    assert bag is not None
    assert bag.unseen_kg == pytest.approx(unseen_kg)
    assert bag.weight_kg == pytest.approx(unseen_kg + 3.0)


async def test_a_bag_with_hardly_anything_in_it_does_not_stay_open_on_record() -> None:
    line = PlayedLine()
    line.book.begin("r1")
    line.shows(0.0, bags=0.0)
    line.shows(0.02, bags=0.0)
    line.shows(0.02, bags=1.0)  # changed by hand
    newest = {row.bag_id: row for row in line.traced}
    assert [(row.status, row.closed_at is not None) for row in newest.values()] == [("rejected", True)]
    assert "hardly any powder" in next(iter(newest.values())).note
    assert line.book.open is None
