"""Kill -9 at seeded instants while writing and sealing. What was acknowledged is there; the file is sound; the gap is
bracketed.

Some twenty kills by default; a campaign:
``LINECONTROL_KILLS=200 python3 run.py test tests/history/test_historian_crash.py``.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from crash_child import until_killed

KILLS = int(os.environ.get("LINECONTROL_KILLS", "20"))
STARTED = multiprocessing.get_context("forkserver")  # from one that has imported all of it: many kills in little time
STARTED.set_forkserver_preload(
    ["linecontrol.history.store", "linecontrol.history.sealing", "linecontrol.history.writer"]
)
SCANS_PER_FLUSH = 250 * 1.0  # at most one second's worth; the child flushes every 0.1 s

Ask = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture(params=["free", "locked"])
def holder(request: pytest.FixtureRequest) -> str:
    """Is the database free, or locked by somebody else half of the time, so that the spool is in use as well?"""
    return str(request.param)


def record_and_kill(db: Path, spool: Path, first: int, after_s: float, lock_for_s: float) -> dict[str, int]:
    """Returns the last number the child said of each word."""
    said, says = STARTED.Pipe(duplex=False)
    child = STARTED.Process(target=until_killed, args=(str(db), str(spool), first, says))
    child.start()
    says.close()
    try:
        assert said.recv_bytes().startswith(b"ready")
        with closing(sqlite3.connect(db, isolation_level=None, timeout=5.0)) as other:
            if lock_for_s:
                other.execute("BEGIN IMMEDIATE")
                time.sleep(lock_for_s)
                other.execute("ROLLBACK")
        time.sleep(after_s)
    finally:
        child.kill()
        child.join()
        child.close()
    last = {"offered": first, "run": 0, "event": 0}
    with closing(said), suppress(EOFError):
        while True:
            word, number = said.recv_bytes().decode().split()
            last[word] = int(number)
    return last


@pytest.mark.timeout(60 + 10 * KILLS)
def test_kill_at_any_instant_loses_nothing_acknowledged(holder: str, db: Path, tmp_path: Path, ask: Ask) -> None:
    draw = random.Random(20251)
    first, acknowledged_events, lost_most = 0, set[int](), 0
    for n in range(KILLS // 2):
        lock_for_s = draw.uniform(0.6, 1.0) if holder == "locked" and n % 2 else 0.0
        said = record_and_kill(db, tmp_path / "spool", first, draw.uniform(0.0, 0.5), lock_for_s)
        assert ask("PRAGMA integrity_check") == [("ok",)]
        acknowledged_events |= {number for number in range(first + 1, said["event"] + 1) if number % 7 == 0}
        if holder == "free":
            check(ask, first, said, acknowledged_events)
            stored = {
                int(v) for (v,) in ask("SELECT value FROM readable_sample WHERE tag = 'SEQ' AND value > ?", first)
            }
            lost_most = max(lost_most, len(set(range(first + 1, said["offered"] + 1)) - stored))
        first = said["offered"] + 1000
    last = record_and_kill(db, tmp_path / "spool", first, 1.5, 0.0)  # time to replay what is in the spool
    acknowledged_events |= {number for number in range(first + 1, last["event"] + 1) if number % 7 == 0}
    check(ask, first, last, acknowledged_events)
    assert lost_most <= SCANS_PER_FLUSH
    gaps = ask("SELECT count(*) FROM event WHERE kind = 'historian.stopped' AND severity = 'warning'")
    assert gaps[0][0] >= 1
    assert ask("SELECT count(*) FROM block")[0][0] >= 2
    bad = ask("SELECT count(*) FROM readable_sample WHERE tag = 'SEQ' AND quality = 'BAD'")
    assert bad[0][0] >= gaps[0][0]


def check(ask: Ask, first: int, said: dict[str, int], acknowledged_events: set[int]) -> None:
    """Everything acknowledged is there, once; values and their check values belong together; order is kept."""
    if said["run"]:
        assert int(ask("SELECT state FROM run")[0][0]) >= said["run"]
    events = [int(text) for (text,) in ask("SELECT text FROM event WHERE kind = 'test' ORDER BY id")]
    assert acknowledged_events <= set(events)
    assert events == sorted(set(events))
    seq: dict[int, float] = dict(
        ask("SELECT time_us, value FROM sample JOIN tag ON tag.id = tag_id WHERE name = 'SEQ' AND status = 0")
    )
    wanted: dict[int, float] = dict(
        ask("SELECT time_us, value FROM sample JOIN tag ON tag.id = tag_id WHERE name = 'CHECK' AND status = 0")
    )
    assert {time: value * 2654435761 % 2**32 for time, value in seq.items()} == wanted
    assert list(seq.values()) == sorted(set(seq.values()))
    through_last_run = {float(number) for number in range(first + 1, said["run"] + 1)}
    assert through_last_run <= set(seq.values())  # a run's acknowledgement covers the samples before it
