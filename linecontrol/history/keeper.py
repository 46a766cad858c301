"""Applies the retention policy beside a recording, in a process of its own: neither scans nor writer wait for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from linecontrol.core.errors import LineError
from linecontrol.history.policy import Policy

_PROGRAM = "import os; os.setpgid(0, 0); from linecontrol.history.keeper import main; main()"
EVERY_S = 3600.0


class Keeper:
    """One for each recording. ``tend`` costs nothing while there is nothing to do; for use from the writer's thread."""

    def __init__(self, url: str, line: str, policy: Policy) -> None:
        self._asked = json.dumps({"url": url, "line": line, **asdict(policy)}, default=str)
        self._is_wanted = policy.asks_for_something
        self._process: subprocess.Popen[str] | None = None
        self._next = 0.0

    def tend(self) -> str | None:
        """Begin when it is time, look after what runs. Returns what went wrong, once it is over."""
        if self._process is not None:
            return self._look_after(self._process)
        if self._is_wanted and time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY_S
            self._begin()
        return None

    def _begin(self) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM],
            stdin=pipe,
            stdout=subprocess.DEVNULL,
            stderr=pipe,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        assert self._process.stdin is not None  # noqa: S101 - asked for above
        self._process.stdin.write(self._asked)  # not an argument: a URL may hold a password
        self._process.stdin.close()

    def _look_after(self, process: subprocess.Popen[str]) -> str | None:
        if process.poll() is None:
            return None
        self._process = None
        assert process.stderr is not None  # noqa: S101 - asked for above
        with process.stderr:
            said = process.stderr.read().strip()
        return (said or f"exit code {process.returncode}") if process.returncode else None

    def close(self) -> None:
        """End what runs; it goes on where it was the next time."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            if process.stderr is not None:
                process.stderr.close()


def main() -> None:
    """The process: what to do comes as JSON on the standard input."""
    from linecontrol.history.keeping import keep

    os.nice(10)
    asked = json.loads(sys.stdin.read())
    archive = asked["archive"]
    policy = Policy(asked["keep_days"], None if archive is None else Path(archive), asked["archive_after_days"])
    try:
        keep(asked["url"], asked["line"], policy)
    except LineError as error:
        sys.exit(str(error))
