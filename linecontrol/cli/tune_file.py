"""`linecontrol tune --csv`: from a recorded step or relay test to gains, in words, in JSON and as a chart."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linecontrol.cli.output import BAD_INPUT, DONE, REFUSED, one_thread, paper, people, print_json, stop
from linecontrol.cli.tune_stages import Stages
from linecontrol.core.errors import ConfigError, Problem

if TYPE_CHECKING:
    from linecontrol.cli.table_file import Table
    from linecontrol.control.tuning import Identified, Refusal, Tuning

KINDS = ("auto", "step", "relay")
STRUCTURES = ("pid", "pi")
CHARTS = (".png", ".svg", ".pdf")
WORST_ROOM = 0.45 / 0.37  # how much further from 1 the peak may be on all that agrees with the test


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person asked for. ``None`` = the tuner's own choice.

    Attributes:
        csv, time, u, y, quality: file and names of its columns. time_unit: see ``read_table``.
        kind: "step", "relay" or "auto". structure: "pid" or "pi". models: classes to try.
        start_s, end_s: part of the record to use, from its first row on [s].
        period_s: sample time of the loop [s]. expected_sign: of the process gain, +1 or -1.
        peak: largest max(Ms, Mt) on the model. noise_gain: largest |K|(1 + N) [output unit / PV unit]. n: Td/Tf.
        smallest_move: that the actuator makes [output unit]. moved_at_rows: the output moved just at its rows' times.
        pv_unit, op_unit, op_span: for the other notations.
    """

    csv: Path
    time: str
    u: str
    y: str
    quality: str | None = None
    time_unit: str = "auto"
    kind: str = "auto"
    structure: str = "pid"
    models: Sequence[str] = ()
    start_s: float | None = None
    end_s: float | None = None
    period_s: float | None = None
    expected_sign: int | None = None
    peak: float | None = None
    noise_gain: float | None = None
    n: float | None = None
    smallest_move: float = 0.0
    moved_at_rows: bool = False
    pv_unit: str = ""
    op_unit: str = ""
    op_span: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Attributes:
        kind: of test, "step" or "relay". model: None when the record was refused. tuning: None when there are no gains.
        refusal: why, when there are none.
    """

    asked: Asked
    table: Table
    kind: str
    model: Identified | None = None
    tuning: Tuning | None = None
    refusal: Refusal | None = None


def run_tune_file(asked: Asked, plot: Path | None, *, as_json: bool) -> int:
    """Tune from a file and print what came of it. Exit code: 0 tuned, 2 bad input, 4 refused."""
    from linecontrol.cli.tune_report import outcome_json, outcome_text

    if plot is not None and plot.suffix.lower() not in CHARTS:
        stop(f"--plot {plot}: a chart is not written in this format (accepted: {', '.join(CHARTS)})", BAD_INPUT)
    try:
        with Stages(quiet=as_json) as stages:
            outcome = evaluate(asked, stages.show)
    except ConfigError as error:
        stop(str(error), BAD_INPUT)
    if plot is not None:
        _draw(outcome, plot)
    if as_json:
        print_json(outcome_json(outcome))
    else:
        paper.print(outcome_text(outcome))
        if plot is not None:
            people.print(f"chart: {plot}", markup=False)
    return DONE if outcome.refusal is None else REFUSED


def _draw(outcome: Outcome, plot: Path) -> None:
    from linecontrol.cli.charts import draw_tuning

    try:
        draw_tuning(outcome, plot)
    except OSError as error:
        stop(f"--plot {plot}: cannot be written: {error.strerror}", BAD_INPUT)


def evaluate(asked: Asked, show: Callable[[str], None]) -> Outcome:
    """Read, identify, tune. ``show`` is told each stage as it begins. Raises ConfigError for an option or a file that
    is wrong."""
    one_thread()
    import numpy as np

    from linecontrol.cli.table_file import read_table
    from linecontrol.control.tuning import Limits, Refusal, identify, identify_relay, moved_between_rows, tune
    from linecontrol.control.tuning.grain import least_size

    _accept_options(asked)
    try:
        limits = _limits(asked, Limits())
    except ValueError as error:
        raise ConfigError([Problem("", None, "--max-ms/--max-noise-gain", str(error))]) from None
    wanted = {"u": asked.u, "y": asked.y}
    show(f"reading {asked.csv.name}")
    table = read_table(asked.csv, asked.time, wanted, quality=asked.quality, time_unit=asked.time_unit)
    t, u, y = table.t_s, table.columns["u"], table.columns["y"]
    if asked.start_s is not None and asked.start_s >= t[-1]:
        message = f"{asked.start_s:g} s is not within the record, which ends at {t[-1]:g} s"
        raise ConfigError([Problem(str(asked.csv), None, "--start", message, f"0 up to below {t[-1]:g}")])
    part = (t >= (asked.start_s or 0.0)) & (t <= (math.inf if asked.end_s is None else asked.end_s))
    t, u, y, good = t[part], u[part], y[part], table.good[part].tolist()
    kind = recorded_kind(u) if asked.kind == "auto" else asked.kind
    judge = identify_relay if kind == "relay" else identify
    classes = list(asked.models) or None
    show(f"looking for the process in {len(t):,} rows")
    found = judge(t, u, y, good=good, expected_sign=asked.expected_sign, classes=classes)
    if isinstance(found, Refusal):
        return Outcome(asked, table, kind, refusal=found)
    if not asked.moved_at_rows:
        found = moved_between_rows(found)
    if (moved := float(np.ptp(u[np.isfinite(u)]))) < (least := least_size(asked.smallest_move)):
        reason = f"the output moved by {moved:.3g} in all, and the actuator makes no move below {asked.smallest_move:g}"
        return Outcome(asked, table, kind, refusal=Refusal("small-step", f"{reason} (accepted: {least:g} or more)"))
    show("working out gains for it")
    more = {} if asked.n is None else {"n": asked.n}
    structure: Any = asked.structure
    tuning = tune(
        found,
        structure=structure,
        limits=limits,
        period_s=asked.period_s,
        smallest_move=asked.smallest_move,
        **more,
    )
    if isinstance(tuning, Refusal):
        return Outcome(asked, table, kind, found, refusal=tuning)
    return Outcome(asked, table, kind, found, tuning)


def recorded_kind(u: Any) -> str:
    """ "relay" when the output went to and fro between two levels (and a centre) often enough, otherwise "step"."""
    import numpy as np

    known = u[np.isfinite(u)]
    moves = np.diff(known)
    moves = moves[moves != 0.0]
    if len(moves) < 4:
        return "step"
    levels = np.unique(np.round(known / (np.ptp(known) or 1.0), 3))
    turns = np.count_nonzero(moves[1:] * moves[:-1] < 0.0)
    return "relay" if len(levels) <= 3 and turns >= 0.7 * (len(moves) - 1) else "step"


def _limits(asked: Asked, usual: Any) -> Any:
    from linecontrol.control.tuning import Limits

    peak = usual.peak if asked.peak is None else asked.peak
    worst = usual.worst_peak if asked.peak is None else 1.0 + (peak - 1.0) * WORST_ROOM
    return Limits(peak, worst, math.inf if asked.noise_gain is None else asked.noise_gain)


def _accept_options(asked: Asked) -> None:
    """Raises ConfigError naming the option and what is accepted."""
    from linecontrol.control.tuning.regression import SHAPES

    classes = [shape.kind for shape in SHAPES]
    for option, value, accepted in (
        ("--kind", asked.kind, KINDS),
        ("--structure", asked.structure, STRUCTURES),
        *(("--model", name, classes) for name in asked.models),
    ):
        if value not in accepted:
            raise ConfigError([Problem("", None, option, f"{value!r} is not known", ", ".join(accepted))])
    if asked.expected_sign not in (None, 1, -1):
        raise ConfigError([Problem("", None, "--expected-sign", f"{asked.expected_sign} is not a sign", "1 or -1")])
    for option, number, low in (
        ("--period", asked.period_s, -1.0),
        ("--n", asked.n, 0.0),
        ("--smallest-move", asked.smallest_move, -1.0),
        ("--op-span", asked.op_span, 0.0),
        ("--start", asked.start_s, -1.0),
        ("--end", asked.end_s, 0.0),
    ):
        if number is not None and (not math.isfinite(number) or number <= low or number < 0.0):
            accepted_numbers = "0 or more" if low < 0.0 else "above 0"
            raise ConfigError([Problem("", None, option, f"{number:g} is not accepted", accepted_numbers)])
    if asked.start_s is not None and asked.end_s is not None and asked.end_s <= asked.start_s:
        message = f"{asked.end_s:g} is not after --start {asked.start_s:g}"
        raise ConfigError([Problem("", None, "--end", message, f"above {asked.start_s:g}")])
