"""Versions of a run's record: the newest is shown, earlier ones are kept, nothing is stored twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from linecontrol.core.errors import StorageError
from linecontrol.history import Historian, RunRow, VersionRow, open_reader

T0 = 1_750_000_000.0
MakeHistorian = Callable[..., Historian]


def run(yield_: float | None = None) -> RunRow:
    return RunRow("r1", "kudzu", "abc", "Complete", T0 + 60.0, T0, T0 + 60.0, {"run_id": "r1", "yield": yield_})


def version(number: int, yield_: float) -> VersionRow:
    return VersionRow("r1", number, T0 + 100.0 * number, "li", f"why {number}", {"run_id": "r1", "yield": yield_})


def take_away(db: Path) -> None:
    db.rename(db.with_suffix(".away"))


async def test_the_newest_is_shown_and_the_earlier_ones_are_kept(url: str, tmp_path: Path) -> None:
    history = Historian(url, tmp_path / "spool", "demo", [], flush_s=0.02)
    await history.start()
    await history.save_run(run())
    for row in (version(1, 0.80), version(3, 0.82), version(2, 0.81), version(3, 0.99)):
        await history.save_version(row)  # the last is one that is there already, told again
    found = await history.run("r1")
    assert found is not None
    assert found.record["yield"] == 0.82
    assert found.updated_at == run().updated_at, "an old run does not become the last one"
    kept = await history.versions("r1")
    assert [(row.version, row.record["yield"], row.who, row.why) for row in kept] == [
        (1, 0.80, "li", "why 1"),
        (2, 0.81, "li", "why 2"),
        (3, 0.82, "li", "why 3"),
    ]
    assert kept[1].made_at == T0 + 200.0
    assert await history.versions("another") == []
    await history.stop()
    with open_reader(url) as reader:
        assert reader.versions("r1") == kept
        assert reader.quarantined() == []


async def test_a_version_that_waits_in_the_spool_is_shown_too(historian: MakeHistorian, db: Path) -> None:
    history = historian()
    await history.start()
    await history.save_run(run(0.80))
    take_away(db)
    await history.save_run(run(0.80))
    await history.save_version(version(2, 0.81))
    found = await history.run("r1")
    assert found is not None
    assert found.record["yield"] == 0.81
    await history.stop()


async def test_a_version_that_is_none_is_refused(historian: MakeHistorian) -> None:
    history = historian()
    await history.start()
    with pytest.raises(StorageError, match="version 0 is none"):
        await history.save_version(version(0, 0.8))
    await history.stop()
