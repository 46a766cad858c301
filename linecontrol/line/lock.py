"""One controller per line on this machine. Controllers on other machines are noticed at the PLC (core.station).

The lock is an flock on a file named after the line's endpoints: the kernel lets go of it when the holder dies, so a
crashed controller never locks a line out, and two data folders do not make two lines of one. A second one on a file in
the data folder keeps the samples of two lines from going into one history.
"""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import json
import os
import socket
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import platformdirs

from linecontrol.core.errors import LineBusy


class LineLock:
    """Held from ``take`` to ``release``.

    Args:
        line: name of the line, for messages. endpoints: its device addresses; they are the line's identity.
        details: what a person who finds the line busy should know (data folder, address of the API).
        folder: where lock files lie; default is the user's state folder.
        data: the data folder, held as well.
    """

    def __init__(
        self,
        line: str,
        endpoints: Iterable[str],
        details: dict[str, str],
        folder: Path | None = None,
        data: Path | None = None,
    ) -> None:
        key = hashlib.sha256("\n".join(sorted(endpoints)).encode()).hexdigest()[:16]
        self._folder = folder or default_folder()
        self.path = self._folder / f"line-{key}.lock"  # not of the line's name: another name makes no other line
        self._line = line
        self._details = details
        self._data = data
        self._fds: list[int] = []

    def take(self) -> None:
        """Raises LineBusy, saying who holds the line, or its data folder."""
        wanted = [(self.path, self._sentence)]
        if self._data is not None:
            wanted.append((self._data / "controller.lock", self._data_sentence))
        for path, sentence in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            taken, holder = lock_file(path)
            if taken is None:
                self.release()
                raise LineBusy(sentence(holder))
            self._fds.append(taken)
        self.describe({})

    def describe(self, more: dict[str, str]) -> None:
        """Write down who holds the line (again, with ``more`` known)."""
        if not self._fds:
            return
        self._details |= more
        holder = {
            "pid": str(os.getpid()),
            "user": getpass.getuser(),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
            **self._details,
        }
        for fd in self._fds:
            os.ftruncate(fd, 0)
            os.pwrite(fd, json.dumps(holder).encode(), 0)

    def release(self) -> None:
        """Let go. May be called twice."""
        while self._fds:
            fd = self._fds.pop()
            os.ftruncate(fd, 0)
            os.close(fd)

    def _sentence(self, holder: dict[str, str]) -> str:
        who = _who(holder)
        more = f" (its data: {holder['data']})" if "data" in holder else ""
        name = holder.get("line", self._line)
        known = f"the line {self._line!r} is" if name == self._line else f"the stations of line {self._line!r} are"
        other = "" if name == self._line else f" as line {name!r}"
        return f"{known} already driven by {who}{other}{more}; stop that one first"

    def _data_sentence(self, holder: dict[str, str]) -> str:
        what = f"line {holder['line']!r}, " if "line" in holder else ""
        return (
            f"the data folder {self._data} is in use: {what}{_who(holder)}. Two lines in one history cannot be told "
            "apart: give another --data, or stop that one first"
        )


def running_controllers(folder: Path | None = None) -> list[dict[str, str]]:
    """What every controller that runs for this user has written down of itself."""
    paths = sorted((folder or default_folder()).glob("*.lock"))
    return [holder for path in paths if (holder := _holder(path)) is not None]


def default_folder() -> Path:
    return platformdirs.user_state_path("linecontrol") / "locks"


def _holder(path: Path) -> dict[str, str] | None:
    """Who holds this lock now; None = nobody."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(fd)
    else:
        return None
    finally:
        os.close(fd)


def _who(holder: dict[str, str]) -> str:
    if {"pid", "user", "host", "since"} <= holder.keys():
        return f"process {holder['pid']} of {holder['user']}@{holder['host']} since {holder['since']}"
    return "another process"


def lock_file(path: Path) -> tuple[int | None, dict[str, str]]:
    """The locked file, open until its holder closes it or dies; or None and who holds it."""
    holder: dict[str, str] = {}
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for _ in range(5):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if holder := _read(fd):  # a holder writes who it is; somebody merely looking does not
                break
            time.sleep(0.02)
        else:
            return fd, {}
    os.close(fd)
    return None, holder


def _read(fd: int) -> dict[str, str]:
    try:
        found = json.loads(os.pread(fd, 65536, 0) or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
