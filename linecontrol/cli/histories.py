"""The history a researcher's command reads, and the options that such commands share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from linecontrol.cli.output import BAD_INPUT, FAILED, people, stop
from linecontrol.cli.records import Place, folders, urls
from linecontrol.core.errors import ConfigError, LineError

if TYPE_CHECKING:
    from linecontrol.history import HistoryReader

T = TypeVar("T")
CHARTS = (".png", ".svg", ".pdf")

Data = Annotated[Path | None, typer.Option("--data", help="Folder of the historian, or of `simulate --out`.")]
Where = Annotated[
    str, typer.Option("--where", help="Which runs, e.g. 'recipe == \"kudzu-*\" and yield > 85 and alarms < 5'.")
]
Plot = Annotated[Path | None, typer.Option(help="Chart to write: .png, .svg or .pdf.")]


@contextlib.contextmanager
def one_history(place: Place) -> Iterator[HistoryReader]:
    """The history meant; where this user has several, one must be named."""
    from linecontrol.history import open_reader

    found = urls(place)
    if len(found) > 1:
        rows = "\n".join(f"  --data {folder}" for folder in folders(place.data))
        stop(f"there are several histories; say which:\n{rows}", BAD_INPUT)
    with open_reader(found[0], place.line) as reader:
        yield reader


def asked(place: Place, question: Callable[..., T], *args: Any, **values: Any) -> T:
    """``question(reader, ...)``; what is wrong with it ends the program with a sentence."""
    from linecontrol.cli.output import one_thread

    one_thread()
    try:
        with one_history(place) as reader:
            return question(reader, *args, **values)
    except ConfigError as error:
        stop("\n".join(_said(problem) for problem in error.problems), BAD_INPUT)
    except (LineError, OSError) as error:
        stop(str(error), FAILED)


def _said(problem: Any) -> str:
    return str(problem).removeprefix(": ")


def check_plot(plot: Path | None) -> None:
    """End the program when a chart is not written in this format."""
    if plot is not None and plot.suffix.lower() not in CHARTS:
        stop(f"--plot {plot}: a chart is not written in this format (accepted: {', '.join(CHARTS)})", BAD_INPUT)


def drawn(draw: Callable[[Any, Path], None], found: Any, plot: Path | None) -> None:
    """Write the chart, where one is wanted, and say so."""
    if plot is None:
        return
    try:
        draw(found, plot)
    except OSError as error:
        stop(f"--plot {plot}: cannot be written: {error.strerror}", BAD_INPUT)
    people.print(f"chart: {plot}", markup=False)
