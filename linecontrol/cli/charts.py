"""Charts of tests and of loops as files. The only place that knows matplotlib; it needs no display."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from linecontrol.analysis.attribution import Attribution
    from linecontrol.analysis.reconcile import Reconciled
    from linecontrol.cli.assess_source import Stretch
    from linecontrol.cli.tune_file import Outcome
    from linecontrol.control.assessment import Assessment
    from linecontrol.control.tuning import Identified, Tuning

BLUE, RED, GREY = "#1f5fa8", "#c23b22", "#7f7f7f"
MOST_POINTS = 5000  # of a line in a chart


def new_figure(rows: int, cols: int = 1) -> tuple[Figure, Any]:
    """A figure for a file; never a window."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0 if cols == 1 else 11.0, 2.6 * rows + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, cols, squeeze=False)


def save(figure: Figure, path: Path) -> None:
    """In the format of the file's ending; its folder is made. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def thin(*arrays: Any) -> list[Any]:
    """Every n-th point, so that a long record does not make a huge file."""
    every = max(1, len(arrays[0]) // MOST_POINTS)
    return [array[::every] for array in arrays]


def draw_tuning(outcome: Outcome, path: Path) -> None:
    """The test with the model's answer; below, what the recommended gains are predicted to do."""
    figure, axes = new_figure(2 if outcome.tuning is None else 3)
    table, asked = outcome.table, outcome.asked
    pv_unit, op_unit = asked.pv_unit or asked.y, asked.op_unit or asked.u
    top, middle = axes[0][0], axes[1][0]
    t, y, u = thin(table.t_s, table.columns["y"], table.columns["u"])
    top.plot(t, y, ".", ms=2.5, color=GREY, label="measured")
    begin = asked.start_s or 0.0
    if outcome.model is not None:
        at, fitted = thin(outcome.model.t_s, outcome.model.fitted)
        top.plot(at + begin, fitted, color=BLUE, label=f"model ({outcome.model.kind})")
    top.set_ylabel(pv_unit)
    top.legend(loc="best", fontsize=8)
    middle.step(t, u, where="post", color=RED)
    middle.set_ylabel(op_unit)
    middle.set_xlabel("time in s")
    refused = "" if outcome.refusal is None else f", refused ({outcome.refusal.code})"
    top.set_title(f"{asked.csv.name}: {outcome.kind} test{refused}")
    if outcome.model is not None and outcome.tuning is not None:
        _draw_prediction(axes[2][0], outcome.model, outcome.tuning, pv_unit)
    save(figure, path)


def _draw_prediction(axis: Axes, found: Identified, tuning: Tuning, pv_unit: str) -> None:
    from linecontrol.control.tuning import predict_setpoint

    gains = tuning.best.gains
    try:
        band = predict_setpoint(found, gains, period_s=0.0)
    except ValueError as error:
        axis.text(0.5, 0.5, str(error), ha="center", wrap=True, transform=axis.transAxes)
        return
    low, high = np.clip(band.low, -2.0, 3.0), np.clip(band.high, -2.0, 3.0)
    axis.fill_between(band.t_s, low, high, color=BLUE, alpha=0.2, label="all that agrees with the test")
    axis.plot(band.t_s, band.pv, color=BLUE, label="PV, predicted")
    axis.axhline(1.0, color=GREY, lw=0.8)
    axis.set_title(f"After a set-point step of 1: kp {gains.k:.4g}, ti {gains.ti_s:.4g} s, td {gains.td_s:.3g} s")
    axis.set_ylabel(pv_unit)
    axis.set_xlabel("time in s")
    axis.legend(loc="lower right", fontsize=8)


def draw_assessment(rows: Sequence[tuple[Stretch, Assessment]], path: Path) -> None:
    """Each loop: PV and set point above its output, and how the error is spread."""
    figure, axes = new_figure(2 * len(rows), 2)
    for n, (row, a) in enumerate(rows):
        t, pv, sp, op = thin(row.t_s / 60.0, row.pv, row.sp, row.op)
        above, below, spread, words = axes[2 * n][0], axes[2 * n + 1][0], axes[2 * n][1], axes[2 * n + 1][1]
        above.plot(t, pv, color=BLUE, lw=0.8, label="PV")
        above.step(t, sp, where="post", color=GREY, lw=1.0, label="SP")
        above.set_title(f"{row.name}: {a.diagnosis.verdict}")
        above.set_ylabel(row.pv_unit)
        above.legend(loc="best", fontsize=8)
        below.step(t, op, where="post", color=RED, lw=0.8)
        below.set_ylabel(f"OP {row.op_unit}")
        below.set_xlabel("time in min")
        error = (row.pv - row.sp)[row.auto & row.good & np.isfinite(row.pv) & np.isfinite(row.sp)]
        if len(error):
            spread.hist(error, bins=60, color=BLUE)
        spread.set_xlabel(f"PV - SP {row.pv_unit}, in automatic")
        words.axis("off")
        words.text(0.0, 1.0, _said(a), va="top", fontsize=9, wrap=True, transform=words.transAxes)
    save(figure, path)


def _said(a: Assessment) -> str:
    index = "-" if a.harris is None else f"{a.harris.index:.2f} ({a.harris.low:.2f} to {a.harris.high:.2f})"
    lines = (
        f"in automatic {a.service_factor:.0%}, good {a.good_share:.0%}",
        f"sd of the error {a.sd_error:.3g}, Harris index {index}",
        f"travel {a.wear.travel_per_h:.3g}/h, reversals {a.wear.reversals_per_h:.3g}/h",
        fill(a.diagnosis.reason, 60),
    )
    return "\n".join(lines)


def draw_balance_tests(found: Reconciled, path: Path) -> None:
    """The test of each measurement beside its limit; suspects in red."""
    tested = {name: z for name, z in found.errors.z.items() if not np.isnan(z)}
    suspects = {name for suspect in found.errors.found for name in suspect.names}
    figure, axes = new_figure(max(1, round(len(tested) / 8)))
    axis = axes[0][0]
    names = list(tested)[::-1]
    colors = [RED if name in suspects else BLUE for name in names]
    axis.barh(names, [tested[name] for name in names], color=colors, height=0.6)
    for limit in (-found.errors.z_limit, found.errors.z_limit):
        axis.axvline(limit, color=GREY, lw=1.0, ls="--")
    axis.axvline(0.0, color=GREY, lw=0.8)
    axis.set_xlabel("test [standard deviations]; dashed: its limit, at 5 % in all")
    axis.set_title(fill(found.statement(), 110), fontsize=9, loc="left")
    save(figure, path)


def draw_attribution(found: Attribution, names: Sequence[str], path: Path) -> None:
    """A waterfall from one run's good powder to the other's, each step with its 95 % interval."""
    from linecontrol.analysis.attribution import TITLES

    figure, axes = new_figure(1)
    figure.set_size_inches(9.5, 4.5)
    axis = axes[0][0]
    labels = [names[0], *(TITLES[step.name][0] for step in found.steps), names[1]]
    level = found.powder_a.value
    axis.bar(0, level, color=GREY, width=0.6)
    for at, step in enumerate(found.steps, 1):
        change = step.part.value
        axis.bar(at, change, bottom=level, color=BLUE if change >= 0.0 else RED, width=0.6)
        half = 0.5 * (step.part.interval[1] - step.part.interval[0])
        axis.errorbar(at, level + change, yerr=half, color="black", lw=1.0, capsize=3)
        axis.plot([at - 0.7, at + 0.7], [level, level], color=GREY, lw=0.6)
        level += change
    axis.bar(len(labels) - 1, found.powder_b.value, color=GREY, width=0.6)
    heights = np.cumsum([found.powder_a.value, *(step.part.value for step in found.steps)])
    spans = [0.5 * (step.part.interval[1] - step.part.interval[0]) for step in found.steps]
    low, high = heights.min() - max(spans, default=0.0), heights.max() + max(spans, default=0.0)
    axis.set_ylim(max(0.0, low - 0.1 * (high - low)), high + 0.1 * (high - low))
    axis.set_xticks(range(len(labels)), [fill(label, 13) for label in labels], fontsize=7)
    axis.set_ylabel("good powder [kg]; bars: 95 %")
    axis.set_title(f"Good powder: {found.difference.value:+.2f} ± {found.difference.u:.2f} kg (k = 1)")
    save(figure, path)
