"""The command line: one file per group of commands. Exit codes: 0 done, 2 bad input, 3 plant or run failed, 4 refused:
the input is fine, but no answer that could be trusted follows from it."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Entry point of ``linecontrol`` and ``python -m linecontrol``."""
    try:
        _run()
    except KeyboardInterrupt:  # Ctrl-C before anything was begun; what has begun sees to it by itself
        sys.exit(130)


def _run() -> None:
    from linecontrol.core.garbage import starting

    with starting():
        from linecontrol.cli.commands import app

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")  # a C locale must not break °C or 葛根
    app()
