"""What came of tuning from a file: as JSON with every figure, and as tables that end in what to do next."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from linecontrol.cli.tune_file import Outcome
    from linecontrol.control.tuning import Candidate, Identified, Interval, Tuning

CALM = 1.5  # max(Ms, Mt) on all that agrees with the test: above it a person should know

WHAT_TO_DO = {
    "record": "Record more of the test, then run this again.",
    "time": "Look at the time column in the named line; export the rows in order of time.",
    "missing": "Find out why values are missing around the move (wiring, quality, the recorder), then repeat the test.",
    "no-step": "Put the loop in Manual, wait until the PV rests, move the output by a clear step, and record it.",
    "small-step": "Repeat with a larger step, or average the PV over a shorter time at a calmer hour.",
    "drift": "Wait until the process rests, then repeat; a doublet (up, then down) bears more drift.",
    "restless": "Wait until the load rests, then repeat; a larger step or a doublet bears more of it.",
    "not-settled": "Record for longer after the step, or more periods of the relay; larger moves tell more.",
    "wrong-sign": "Do not tune yet: check the loop's action, the valve's direction and the wiring.",
    "stuck": "Look at the instrument and its wiring: its value stood still. Then repeat the test.",
    "coarse": "Record at a shorter sample time.",
    "no-fit": "Look at the chart (--plot): is it a step test of this loop?",
    "no-gains": "Allow a higher --max-ms, or repeat the test with a larger step.",
}


def finite(value: float | None, digits: int = 6) -> float | None:
    """For JSON: rounded to so many significant digits; None for what is not finite (no limit, not known)."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value + 0.0:.{digits}g}")


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """Everything. ``null`` stands for no limit (a Ti of infinity, a margin without end)."""
    asked, refusal = outcome.asked, outcome.refusal
    said: dict[str, Any] = {
        "outcome": "tuned" if refusal is None else "refused",
        "file": str(asked.csv),
        "kind": outcome.kind,
        "structure": asked.structure,
        "units": {"pv": asked.pv_unit, "op": asked.op_unit, "time": "s"},
    }
    if refusal is not None:
        said["refusal"] = {"code": refusal.code, "reason": refusal.reason, "what_to_do": WHAT_TO_DO[refusal.code]}
    if outcome.model is not None:
        said["model"] = model_json(outcome.model)
    if outcome.tuning is not None:
        said |= tuning_json(outcome.tuning)
        said["notations"] = [
            {
                "block": row.block,
                "values": {k: v if isinstance(v, bool) else finite(v) for k, v in row.values.items()},
                "units": row.units,
                "formula": row.formula,
                "note": row.note,
            }
            for row in _notations(outcome, outcome.tuning)
        ]
    said["warnings"] = warnings_of(outcome)
    return said


def model_json(found: Identified) -> dict[str, Any]:
    """The process, its doubt, and what the fit says about the record."""
    p = found.process
    names = ("gain", "t1_s", "t2_s", "zero_s", "delay_s")
    return {
        "kind": p.kind,
        "transfer": transfer_text(found),
        **{name: finite(getattr(p, name)) for name in names},
        "integrating": p.integrating,
        "intervals_95": {name: [finite(v.low), finite(v.high)] for name, v in found.intervals.items()},
        "relative_delay": finite(p.relative_delay),
        "other_classes_aicc": found.alternatives,
        "noise_sd": finite(found.noise_sd),
        "noise_correlation": finite(found.noise_phi),
        "step_noise_ratio": finite(found.step_noise_ratio),
        "start_level": finite(found.offset),
        "drift_per_s": finite(found.slope_per_s),
        "samples": len(found.t_s),
        "sample_time_s": finite(found.period_s),
    }


def tuning_json(tuning: Tuning) -> dict[str, Any]:
    """The recommendation, the rules beside it, and the limits that were kept."""
    return {
        "recommended": candidate_json(tuning.best),
        "alternatives": [candidate_json(row) for row in tuning.others],
        "not_served": tuning.not_served,
        "limits": {"peak": tuning.limits.peak, "worst_peak": finite(tuning.limits.worst_peak)},
    }


def candidate_json(row: Candidate) -> dict[str, Any]:
    """Gains in ISA form with what they are predicted to do. ``worst_*``: on all that agrees with the test."""
    g, m, w = row.gains, row.margins, row.worst
    return {
        "rule": row.rule,
        "form": "ISA",
        "kp": finite(g.k),
        "ti_s": finite(g.ti_s),
        "td_s": finite(g.td_s),
        "n": finite(g.n),
        "b": g.b,
        "c": g.c,
        "ms": finite(m.ms),
        "mt": finite(m.mt),
        "stable": m.stable,
        "gain_margin": finite(m.gain_margin),
        "phase_margin_deg": finite(m.phase_margin_deg),
        "delay_margin_s": finite(m.delay_margin_s),
        "worst_ms": finite(w.ms),
        "worst_mt": finite(w.mt),
        "load_iae": finite(row.iae),
        "hf_gain": finite(row.hf_gain),
        "noise_gain": finite(row.noise_gain),
        "within_limits": row.within,
        "formula": row.formula,
        "source": row.source,
    }


def transfer_text(found: Identified) -> str:
    """G(s) with its numbers, as it is written by hand."""
    p = found.process
    top = f"{p.gain:.4g}" + (f" (1 {p.zero_s:+.4g} s)" if p.zero_s else "")
    top += f" e^(-{p.delay_s:.4g} s)" if p.delay_s else ""
    below = ["s"] if p.integrating else []
    if p.t1_s and p.t1_s == p.t2_s:
        below.append(f"({p.t1_s:.4g} s + 1)^2")
    else:
        below += [f"({lag:.4g} s + 1)" for lag in (p.t1_s, p.t2_s) if lag]
    return f"{top} / ({' '.join(below)})" if len(below) > 1 else f"{top} / {below[0]}" if below else top


def warnings_of(outcome: Outcome) -> list[str]:
    """Of the file, the identification and the tuning, in this order."""
    said = list(outcome.table.notes)
    if outcome.model is not None:
        said += outcome.model.warnings
    if outcome.tuning is not None:
        said += outcome.tuning.warnings
    return said


def _notations(outcome: Outcome, tuning: Tuning) -> Any:
    from linecontrol.control.tuning import notations

    asked = outcome.asked
    return notations(
        tuning.best.gains,
        pv_unit=asked.pv_unit or "PV",
        op_unit=asked.op_unit or "output",
        op_span=asked.op_span,
    )


# -- for people


def outcome_text(outcome: Outcome) -> RenderableType:
    """Tables for a technician, and what to do next."""
    parts: list[RenderableType] = []
    if outcome.model is not None:
        parts.append(_model_table(outcome, outcome.model))
    if outcome.tuning is not None:
        parts += [_gains_table(outcome, outcome.tuning), _notation_table(outcome, outcome.tuning)]
    if outcome.refusal is not None:
        parts.append(Text(f"Refused ({outcome.refusal.code}): {outcome.refusal.reason}.", style="bold"))
    parts += [Text(f"Note: {said}.", style="yellow") for said in warnings_of(outcome)]
    parts.append(Text("\nWhat to do next", style="bold"))
    parts += [Text(f"  {said}") for said in _next(outcome)]
    return Group(*parts)


def _per(outcome: Outcome, up: str, down: str) -> str:
    units = {"pv": outcome.asked.pv_unit or "PV", "op": outcome.asked.op_unit or "output"}
    return f"{units[up]}/{units[down]}"


def _model_table(outcome: Outcome, found: Identified) -> Table:
    table = Table(
        title=f"Model from this {outcome.kind} test: {found.kind}",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    for name, justify in (("", "left"), ("Value", "right"), ("95 % interval", "right"), ("Unit", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    gain_unit = _per(outcome, "pv", "op") + ("/s" if found.process.integrating else "")
    titles = (("gain", "Gain", gain_unit), ("t1_s", "Lag", "s"), ("t2_s", "Second lag", "s"), ("zero_s", "Zero", "s"))
    for name, title, unit in (*titles, ("delay_s", "Delay", "s")):
        value, between = getattr(found.process, name), found.intervals.get(name)
        if value or between:
            table.add_row(title, f"{value:.4g}", _between(between), escape(unit))
    table.add_row("Noise (standard deviation)", f"{found.noise_sd:.3g}", "", outcome.asked.pv_unit or "PV")
    table.add_row("Answer / noise", f"{found.step_noise_ratio:.3g}", "", "3 or more")
    return table


def _between(interval: Interval | None) -> str:
    return "" if interval is None else f"{interval.low:.4g} to {interval.high:.4g}"


def _gains_table(outcome: Outcome, tuning: Tuning) -> Table:
    title = f"Gains, ISA form (kp in {_per(outcome, 'op', 'pv')}, times in s); the first row is recommended"
    table = Table(title=escape(title), title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for head in ("Rule", "kp", "ti", "td", "b", "Ms", "Mt", "worst", "phase", "load IAE", "noise"):
        table.add_column(head, justify="left" if head == "Rule" else "right", no_wrap=True)
    for n, row in enumerate((tuning.best, *tuning.others)):
        g, m = row.gains, row.margins
        figures = (m.ms, m.mt, row.worst.worst, m.phase_margin_deg, row.iae, row.noise_gain)
        forms = ("{:.2f}", "{:.2f}", "{:.2f}", "{:.0f}°", "{:.3g}", "{:.2g}")
        shown = [form.format(v) if math.isfinite(v) else "-" for form, v in zip(forms, figures, strict=True)]
        style = "bold" if n == 0 else None if row.within else "dim"
        table.add_row(row.rule, f"{g.k:.4g}", f"{g.ti_s:.4g}", f"{g.td_s:.3g}", f"{g.b:g}", *shown, style=style)
    table.caption = (
        "worst: the larger of Ms and Mt on all that agrees with the test; phase: margin; load IAE: summed error after a"
        " load step of 1; noise: output's over the PV's. Dim: breaks a limit that the recommended gains keep."
    )
    table.caption_justify = "left"
    return table


def _notation_table(outcome: Outcome, tuning: Tuning) -> Table:
    table = Table(
        title="The recommended gains in other notations", title_justify="left", box=SIMPLE_HEAD, pad_edge=False
    )
    table.add_column("Block")
    table.add_column("Values", overflow="fold")
    for row in _notations(outcome, tuning):
        values = [
            f"{name} {value if isinstance(value, bool) else format(value + 0.0, '.4g')} {row.units[name]}".strip()
            for name, value in row.values.items()
        ]
        text = ", ".join(values) + (f" ({row.note})" if row.note else "")
        table.add_row(row.block, escape(text.strip()))
    return table


def _next(outcome: Outcome) -> list[str]:
    if outcome.refusal is not None or outcome.tuning is None:
        code = outcome.refusal.code if outcome.refusal is not None else "no-fit"
        return [WHAT_TO_DO[code], "No gains are offered; leave those the loop has."]
    best = outcome.tuning.best
    said = []
    if best.worst.worst > CALM:
        said.append("The test leaves doubt: repeat it with a larger step, or begin with half of kp.")
    if not outcome.asked.pv_unit:
        said.append("kp is in output unit per PV unit, as the columns of the file are scaled; convert for your block.")
    moved = best.noise_gain * outcome.model.noise_sd if outcome.model is not None else math.nan
    if math.isfinite(moved) and best.gains.td_s > 0.0:
        unit = f" {outcome.asked.op_unit}" if outcome.asked.op_unit else ""
        said.append(
            f"The noise of the PV alone will move the output by about {moved:.2g}{unit} (standard deviation). Too much"
            " for the valve? Use --structure pi or --max-noise-gain."
        )
    said.append("Write down the old gains. Enter the new ones, then make a small set-point step and watch one Ti.")
    said.append("If it swings more than once or twice, put the old gains back and repeat the test.")
    return said
