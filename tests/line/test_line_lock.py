"""Who may drive a line on this machine: its devices make it the line it is, whatever it is called."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from linecontrol.config import read_line
from linecontrol.core.errors import LineBusy, LineError
from linecontrol.line import assembly
from linecontrol.line.lock import LineLock, running_controllers

DEVICES = ("modbus-tcp://10.0.0.7:502?unit=1", "opc.tcp://10.0.0.9:4840/drying")


def lock(folder: Path, name: str, devices: tuple[str, ...] = DEVICES) -> LineLock:
    return LineLock(name, devices, {"line": name, "data": f"/data/{name}"}, folder)


def test_the_same_devices_under_another_name_are_the_same_line(tmp_path: Path) -> None:
    first = lock(tmp_path, "hall-1")
    first.take()
    for name, words in (
        ("hall-1", r"the line 'hall-1' is already driven by process \d+ of .* \(its data: /data/hall-1\)"),
        ("copy", r"the stations of line 'copy' are already driven by process \d+ of .* as line 'hall-1'"),
    ):
        with pytest.raises(LineBusy, match=words):
            lock(tmp_path, name, DEVICES[::-1]).take()
    lock(tmp_path, "hall-1", DEVICES[:1]).take()  # other devices, another line
    assert {row["line"] for row in running_controllers(tmp_path)} == {"hall-1"}
    first.release()
    lock(tmp_path, "copy").take()


def test_a_data_folder_takes_the_history_of_one_controller(tmp_path: Path) -> None:
    data, details = tmp_path / "data", {"line": "hall-1"}
    first = LineLock("hall-1", DEVICES, details, tmp_path / "locks", data)
    first.take()
    other = LineLock("hall-1", DEVICES[:1], {}, tmp_path / "locks", data)
    with pytest.raises(
        LineBusy, match=r"the data folder .*data is in use: line 'hall-1', process \d+ .*give another --data"
    ):
        other.take()
    third = lock(tmp_path / "locks", "hall-1", DEVICES[:1])
    third.take()  # what was taken before the refusal is let go
    third.release()
    first.release()
    assert running_controllers(tmp_path / "locks") == []
    LineLock("hall-1", DEVICES, details, tmp_path / "locks", data).take()


async def test_a_line_that_cannot_be_built_leaves_no_history_running_and_no_lock_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_line: assembly.Line) -> None:
        raise LineError("on purpose")

    monkeypatch.setattr(assembly, "LabBook", broken)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    before = set(threading.enumerate())
    for _ in range(2):
        with pytest.raises(LineError, match="on purpose"):
            await assembly.assemble(read_line("demo"), data=tmp_path / "data").__aenter__()
    assert [thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith("historian")] == []
