"""The command line: one file per group of commands. Exit codes: 0 done, 2 bad input, 3 plant or run failed."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of ``linecontrol`` and ``python -m linecontrol``."""
    from linecontrol.cli.commands import app

    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # a C locale must not break °C or 葛根
        sys.stderr.reconfigure(encoding="utf-8", errors="replace")
    app()
