"""What an assessment says: as JSON with every figure, as tables, as a chart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from linecontrol.cli.output import BAD_INPUT, DONE, REFUSED, paper, people, print_json, stop
from linecontrol.cli.tune_report import finite

if TYPE_CHECKING:
    from linecontrol.cli.assess_source import Stretch
    from linecontrol.control.assessment import Assessment

CHARTS = (".png", ".svg", ".pdf")
Found = dict[str, "tuple[Stretch, Assessment | None, str]"]


def show(stretches: Sequence[Stretch], plot: Path | None, *, as_json: bool) -> int:
    """Assess and print. Exit code: 0, or 4 when no loop had enough to be assessed."""
    if plot is not None and plot.suffix.lower() not in CHARTS:
        stop(f"--plot {plot}: a chart is not written in this format (accepted: {', '.join(CHARTS)})", BAD_INPUT)
    found = {row.name: judged(row) for row in stretches}
    told = {name: a for name, (_, a, _) in found.items() if a is not None}
    order = _ranked(found, told)
    if plot is not None and told:
        from linecontrol.cli.charts import draw_assessment

        try:
            draw_assessment([(found[name][0], told[name]) for name, _ in order], plot)
        except OSError as error:
            stop(f"--plot {plot}: cannot be written: {error.strerror}", BAD_INPUT)
    if as_json:
        print_json(report_json(found, order))
    else:
        paper.print(report_text(found, order))
        if plot is not None and told:
            people.print(f"chart: {plot}", markup=False)
    return DONE if told else REFUSED


def judged(row: Stretch) -> tuple[Stretch, Assessment | None, str]:
    """With the reason where a loop cannot be assessed."""
    from linecontrol.control.assessment import assess

    try:
        return (
            row,
            assess(
                row.t_s,
                row.pv,
                row.sp,
                row.op,
                delay_s=row.delay_s,
                op_limits=row.op_limits,
                auto=row.auto.tolist(),
                good=row.good.tolist(),
            ),
            "",
        )
    except ValueError as error:
        return row, None, str(error)


def _ranked(found: Found, told: dict[str, Assessment]) -> list[tuple[str, float | None]]:
    from linecontrol.control.assessment import rank

    return rank(told, {name: row.sp_span for name, (row, _, _) in found.items() if row.sp_span})


def report_json(found: Found, order: Sequence[tuple[str, float | None]]) -> dict[str, Any]:
    """Loops in the order of what mending them is worth; ``null`` = not known."""
    return {
        "loops": [
            loop_json(found[name][0], assessment, share)
            for name, share in order
            if (assessment := found[name][1]) is not None
        ],
        "not_assessed": {name: reason for name, (_, a, reason) in found.items() if a is None},
    }


def loop_json(row: Stretch, a: Assessment, share: float | None) -> dict[str, Any]:
    """Every figure of one loop."""
    swing, valve = a.diagnosis.oscillation, a.diagnosis.valve
    return {
        "loop": row.name,
        "source": row.source,
        "units": {"pv": row.pv_unit, "op": row.op_unit, "time": "s"},
        "duration_s": finite(a.duration_s),
        "samples": a.samples,
        "sample_time_s": finite(a.period_s),
        "good_share": finite(a.good_share),
        "service_factor": finite(a.service_factor),
        "mean_error": finite(a.mean_error),
        "sd_error": finite(a.sd_error),
        "iae": finite(a.iae),
        "iae_per_h": finite(a.iae_per_h),
        "op_travel": finite(a.wear.travel),
        "op_travel_per_h": finite(a.wear.travel_per_h),
        "reversals_per_h": finite(a.wear.reversals_per_h),
        "at_low_share": finite(a.wear.low_share),
        "at_high_share": finite(a.wear.high_share),
        "op_limits": None if a.wear.low is None else [finite(a.wear.low), finite(a.wear.high)],
        "harris": None
        if a.harris is None
        else {
            "index": finite(a.harris.index),
            "interval_95": [finite(a.harris.low), finite(a.harris.high)],
            "delay_samples": a.harris.delay,
            "by_delay_samples": {str(b): finite(v) for b, v in a.harris.by_delay.items()},
        },
        "diagnosis": {
            "verdict": a.diagnosis.verdict,
            "reason": a.diagnosis.reason,
            "what_to_do": a.diagnosis.what_to_do,
        },
        "oscillation": None
        if swing is None
        else {
            "period_s": finite(swing.period_s),
            "damping": finite(swing.damping),
            "regularity": finite(swing.regularity),
            "crossings": swing.crossings,
            "is_regular": swing.is_regular,
            "is_loaded": swing.is_loaded,
            "amplitude": finite(swing.amplitude),
            "sharpness": finite(swing.sharpness),
            "cycles": finite(swing.cycles),
        },
        "valve": None
        if valve is None
        else {
            "explained_by_output": finite(valve.straight),
            "explained_by_sticking_valve": finite(valve.sticking),
            "band": finite(valve.band),
        },
        "worth": {
            "distance": finite(a.worth.distance),
            "share": finite(share),
            "basis": a.worth.basis,
            "sd_possible": finite(a.worth.sd_possible),
        },
        "warnings": [*row.notes, *a.warnings],
    }


# -- for people


def report_text(found: Found, order: Sequence[tuple[str, float | None]]) -> RenderableType:
    """Two tables, then a sentence for each loop."""
    told = [(found[name][0], a, share) for name, share in order if (a := found[name][1]) is not None]
    parts: list[RenderableType] = []
    if told:
        parts += [_quality_table(told), _wear_table(told)]
    for row, a, _ in told:
        parts.append(Text(f"{row.name}: {a.diagnosis.verdict}. {_sentence(a.diagnosis.reason)}", style="bold"))
        if a.diagnosis.verdict != "none":
            parts.append(Text(f"  {a.diagnosis.what_to_do}"))
        parts += [Text(f"  Note: {said}.", style="yellow") for said in (*row.notes, *a.warnings)]
    parts += [
        Text(f"{name}: not assessed: {reason}.", style="yellow") for name, (_, a, reason) in found.items() if a is None
    ]
    return Group(*parts)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None or not math.isfinite(value) else form.format(value)


def _table(title: str, heads: Sequence[str], caption: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for head in heads:
        table.add_column(head, justify="left" if head == "Loop" else "right", no_wrap=True)
    table.caption, table.caption_justify = caption, "left"
    return table


def _quality_table(told: Sequence[tuple[Stretch, Assessment, float | None]]) -> Table:
    source = f", {told[0][0].source}" if told[0][0].source else ""
    table = _table(
        f"How steady{escape(source)}; first what is most worth mending",
        ("Loop", "Unit", "in auto", "good", "mean e", "sd e", "Harris", "95 %", "worth", "span"),
        "e: PV less SP in automatic. Harris: 1 = no controller could do better, 0 = nearly all of the spread is"
        " avoidable. worth: how far the set point could move to its limit, crossing it as often as now, if the loop"
        " were mended.",
    )
    for row, a, share in told:
        h = a.harris
        table.add_row(
            escape(row.name),
            escape(row.pv_unit),
            f"{a.service_factor:.0%}",
            f"{a.good_share:.0%}",
            _figure(a.mean_error, "{:.3g}"),
            _figure(a.sd_error, "{:.3g}"),
            "-" if h is None else f"{h.index:.2f}",
            "-" if h is None else f"{h.low:.1f}-{h.high:.1f}",
            _figure(a.worth.distance, "{:.2g}"),
            "-" if share is None or not row.sp_span else f"{share:.1%}",
        )
    return table


def _wear_table(told: Sequence[tuple[Stretch, Assessment, float | None]]) -> Table:
    table = _table(
        "What it asked of its actuator",
        ("Loop", "Unit", "travel/h", "turns/h", "at low", "at high", "IAE/h", "swing", "damping"),
        "travel: all moves of the output, up and down. turns: changes of its direction. swing in s, damping: of its"
        " strongest mode; below a damping of 0.15 it swings.",
    )
    for row, a, _ in told:
        swing = a.diagnosis.oscillation
        table.add_row(
            escape(row.name),
            escape(row.op_unit),
            f"{a.wear.travel_per_h:.3g}",
            f"{a.wear.reversals_per_h:.3g}",
            f"{a.wear.low_share:.0%}",
            f"{a.wear.high_share:.0%}",
            _figure(a.iae_per_h, "{:.3g}"),
            "-" if swing is None else f"{swing.period_s:.3g}",
            "-" if swing is None else f"{swing.damping:.2f}",
        )
    return table
