"""What a command that takes a while is at: one line on stderr, on a terminal only, gone when it has ended."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from linecontrol.cli.output import people


class Stages:
    """Shows the stage it is told. ``quiet`` shows nothing (for --json); nor does a stderr that is no terminal."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._live = Live(console=people, transient=True) if people.is_terminal and not quiet else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, stage: str) -> None:
        """``stage``: what begins now, such as "reading test.csv"."""
        if self._live is not None:
            self._live.update(Spinner("dots", Text(f"{stage} ...")), refresh=True)
