"""PostgreSQL: a real server of an unprivileged user on a unix socket, or one line that says why not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from linecontrol.core.errors import StorageError
from linecontrol.core.image import Scan
from linecontrol.core.model import Command, Event, Outcome, Receipt, Sample, Status, Tag
from linecontrol.history import Historian, RecipeRow, RunRow, migrate

T0 = 1_750_000_000.0

MakeScan = Callable[[int], Scan]
Psql = Callable[[str], list[str]]


async def record_some(history: Historian, scan: MakeScan) -> None:
    await history.start()
    for n in range(30):
        history.offer(scan(n))
    history.offer(Scan("drying", T0 + 30, {"TT-1": Sample(None, Status.BAD_NO_COMMUNICATION, T0 + 30)}))
    history.event(Event(T0 + 1, "link.down", "drying", "it's away; 葛", active=True, data={"a": 1}))
    history.command(Receipt(Command("TT-1", 5.5, "operator:li", "warmer"), Outcome.CONFIRMED, T0 + 2, "", 5.5, 5.0))
    await history.save_run(RunRow("R-1", "standard", "abc", "Running", T0 + 5, T0))
    await history.save_recipe(RecipeRow("abc", "standard", "1", "text: 葛", T0))
    await history.save_run(RunRow("R-1", "standard", "abc", "Complete", T0 + 9, T0, T0 + 9))
    await history.stop()


async def test_the_historian_records_into_postgresql_and_reads_back(
    psql: Psql, bare_postgresql_url: str, tmp_path: Path, tags: Sequence[Tag], scan: MakeScan
) -> None:
    url = bare_postgresql_url
    history = Historian(url, tmp_path / "spool", "demo", tags, flush_s=0.02)
    await record_some(history, scan)
    assert history.counters.adds_up
    assert history.counters.stored == history.counters.accepted
    again = Historian(url, tmp_path / "spool", "demo", tags, flush_s=0.02)
    await again.start()
    found = await again.samples(["SEQ", "ZT-1"], T0, T0 + 30)
    assert [s.value for s in found["SEQ"] if s.is_good] == [float(n) for n in range(30)]
    assert [s.value for s in found["ZT-1"] if s.is_good][:3] == ["相 A", "", "相 A"]
    run = await again.last_run()
    assert run is not None
    assert run.state == "Complete"
    too_large: Any = 2**70
    sick = {"TT-1": Sample(1.0, too_large, T0 + 99), "ZT-1": Sample("a\x00b", Status.GOOD, T0 + 99)}
    again.offer(Scan("drying", T0 + 99, sick))
    await again.flush()
    assert again.counters.quarantined == 2
    await again.stop()
    assert again.counters.adds_up
    assert psql("SELECT count(*) FROM quarantine") == ["2"]


async def test_the_printed_schema_is_one_the_historian_records_into(
    psql: Psql, bare_postgresql_url: str, tmp_path: Path, tags: Sequence[Tag], scan: MakeScan
) -> None:
    psql(migrate.script_for("postgresql"))  # as an administrator who lets no program make tables would
    history = Historian(bare_postgresql_url, tmp_path / "spool", "demo", tags, flush_s=0.02)
    await record_some(history, scan)
    assert history.counters.stored == history.counters.accepted
    assert psql("SELECT count(*) FROM tail") != ["0"]


async def test_a_second_line_of_the_same_name_is_refused_while_the_first_records(
    postgresql_url: str, tmp_path: Path, tags: Sequence[Tag], scan: MakeScan
) -> None:
    first = Historian(postgresql_url, tmp_path / "spool", "demo", tags)
    await first.start()
    with pytest.raises(StorageError, match="another controller records a line 'demo'"):
        await Historian(postgresql_url, tmp_path / "spool 2", "demo", tags).start()
    other = Historian(postgresql_url, tmp_path / "spool 2", "south", tags)
    await other.start()
    await other.save_run(RunRow("R-1", "standard", "abc", "Complete", T0))
    assert await first.last_run() is None
    await other.stop()
    await first.stop()
    await record_some(Historian(postgresql_url, tmp_path / "spool", "demo", tags), scan)  # it is free again
