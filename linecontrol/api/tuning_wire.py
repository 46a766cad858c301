"""What tests and gains look like on the wire: requests, and how an evaluation becomes plain values."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from linecontrol.api.wire import WHO
from linecontrol.control.forms import IsaGains
from linecontrol.control.pid_settings import Action
from linecontrol.control.tuning import Band, Candidate, Identified, Margins, Refusal
from linecontrol.control.tuning.evaluate import Evaluation, Predicted
from linecontrol.control.tuning.models import FloatArray
from linecontrol.control.tuning.notation import notations
from linecontrol.line.loop_tests import Session

SHOWN_POINTS = 120  # of a predicted response
SHOWN_SAMPLES = 600  # of a record

_REASON = Field(min_length=1, max_length=500, examples=["moisture swings since the new fan"])


class Signed(BaseModel):
    """Who, and why: every command on tuning is signed."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "batch is changing"}]})
    who: str | None = WHO
    reason: str = _REASON


class TestIn(Signed):
    """A test on a loop. What is left out is worked out from the loop's own ranges."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"kind": "doublet", "size": 5.0, "pv_limit": 15.0, "reason": "slow since the new fan"}]
        },
    )
    __test__ = False

    kind: Literal["step", "doublet", "relay"] = "doublet"
    size: float | None = Field(None, allow_inf_nan=False, description="Move of the output [its unit]; not 0.")
    pv_limit: float | None = Field(None, gt=0, allow_inf_nan=False, description="PV may go so far [PV unit].")
    pv_low: float | None = Field(None, allow_inf_nan=False, description="Absolute lower PV limit as well.")
    pv_high: float | None = Field(None, allow_inf_nan=False, description="Absolute upper PV limit as well.")
    op_low: float | None = Field(None, allow_inf_nan=False, description="Output not below this.")
    op_high: float | None = Field(None, allow_inf_nan=False, description="Output not above this.")
    op_rate_per_s: float | None = Field(None, gt=0, allow_inf_nan=False, description="Output no faster [1/s].")
    rest_s: float = Field(60.0, ge=10, le=3600, description="The PV must have been at rest for so long [s].")
    longest_s: float = Field(1800.0, ge=30, le=36_000, description="Time limit of the moves [s].")
    periods: int | None = Field(None, ge=1, le=20, description="Doublets, or periods of the relay.")
    structure: Literal["pi", "pid"] | None = Field(None, description="None: as the loop is now.")
    lease_s: float | None = Field(None, ge=5, description="Abort when nobody asks for so long [real s].")


class GainsIn(BaseModel):
    """A person's own gains, ISA form, K as the loop shows it. What is left out stays as the loop has it."""

    model_config = ConfigDict(extra="forbid")
    k: float = Field(gt=0, allow_inf_nan=False, examples=[0.9])
    ti_s: float = Field(gt=0, allow_inf_nan=False, examples=[85.0])
    td_s: float | None = Field(None, ge=0, allow_inf_nan=False)
    n: float | None = Field(None, ge=1, le=100)
    b: float | None = Field(None, ge=0, le=1)
    c: float | None = Field(None, ge=0, le=1)

    def gains(self, present: IsaGains) -> IsaGains:
        """As the loop takes them, with the rest of those it has."""
        return replace(present, **self.model_dump(exclude_none=True))


class ApplyIn(Signed):
    """Put gains on trial: a candidate of the last test by its name ("best" is the recommended one), or own gains."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"candidate": "best", "reason": "calmer, by the test of today"}]},
    )
    candidate: str | None = Field(None, max_length=60)
    gains: GainsIn | None = None


class TestView(BaseModel):
    """A loop's last test, under way or over."""

    model_config = ConfigDict(extra="allow")
    __test__ = False
    state: str = Field(examples=["running"], description="running, evaluating, done, refused, aborted or failed")
    stage: str = Field(examples=["moving"], description="rest, still, moving, settling, returning or ended")
    doing: str = Field(examples=["doublet 1 of 1, +-5, first leg"])
    end: str | None = Field(examples=[None])
    why: str
    elapsed_s: float


class TuningView(BaseModel):
    """A loop as its tuner sees it."""

    model_config = ConfigDict(extra="allow")
    loop: str = Field(examples=["TIC-303"])
    mode: str = Field(examples=["AUTO"])
    pv: float | None
    sp: float | None
    op: float | None
    gains: dict[str, float | None] = Field(examples=[{"k": 0.9, "ti_s": 85.0, "td_s": 0.0, "n": 8.0, "b": 0.6, "c": 0}])
    line_file: dict[str, float | None]
    differs_from_line_file: bool
    previous: dict[str, float | None] | None
    trial: dict[str, Any] | None
    last_test: TestView | None


class ResultView(BaseModel):
    """What a test has shown: a model with its doubt and gains with what they will do, or a refusal with its reason."""

    model_config = ConfigDict(extra="allow")
    loop: str = Field(examples=["TIC-303"])
    offered: bool
    refusal: dict[str, str] | None = Field(examples=[{"code": "small-step", "reason": "repeat with a larger step"}])
    model: dict[str, Any] | None
    candidates: list[dict[str, Any]]
    present: dict[str, Any] | None


def plain(value: float) -> float | None:
    """A number fit for strict JSON; None for NaN and infinity."""
    return value if math.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class Written:
    """How the gains of a loop are written down: its units, its action and its output's span."""

    unit: str
    op_unit: str
    action: Action
    op_span: float


def result_row(session: Session, found: Evaluation, written: Written, sign_of_k: float) -> dict[str, Any]:
    """An evaluation as plain values. ``sign_of_k``: the loop's K over that of the model's notation."""
    model = found.found
    refusal = model if isinstance(model, Refusal) else found.tuning if isinstance(found.tuning, Refusal) else None
    rows = [_candidate_row(row, found.predicted.get(row.rule), sign_of_k, written) for row in found.candidates]
    present = found.present
    return {
        "loop": session.loop,
        "kind": session.test.plan.kind.value,
        "unit": written.unit,
        "op_unit": written.op_unit,
        "offered": bool(found),
        "refusal": None if refusal is None else {"code": refusal.code, "reason": refusal.reason},
        "model": _model_row(model) if isinstance(model, Identified) else None,
        "sp_step": found.sp_size,
        "load_step": found.load_size,
        "candidates": rows,
        "present": None
        if present is None
        else _candidate_row(present, found.predicted.get("present"), sign_of_k, written),
        "warnings": _warnings(found),
        "record": _record_row(session),
    }


def _warnings(found: Evaluation) -> list[str]:
    said: list[str] = []
    for part in (found.found, found.tuning):
        if not isinstance(part, Refusal):
            said += part.warnings
    return said


def _model_row(found: Identified) -> dict[str, Any]:
    p = found.process
    every = max(1, len(found.t_s) // SHOWN_SAMPLES)
    return {
        "kind": found.kind,
        "gain": p.gain,
        "t1_s": p.t1_s,
        "t2_s": p.t2_s,
        "zero_s": p.zero_s,
        "delay_s": p.delay_s,
        "integrating": p.integrating,
        "intervals": {name: [plain(i.low), plain(i.high)] for name, i in found.intervals.items()},
        "noise_sd": found.noise_sd,
        "step_noise_ratio": plain(found.step_noise_ratio),
        "drift_per_s": found.slope_per_s,
        "t_s": _list(found.t_s[::every]),
        "measured": _list(found.measured[::every]),
        "fitted": _list(found.fitted[::every]),
    }


def _record_row(session: Session) -> dict[str, Any]:
    r = session.test.fitted_part()
    every = max(1, len(r.t_s) // SHOWN_SAMPLES)
    start = r.t_s[0] if r.t_s else 0.0
    return {
        "t_s": [round(t - start, 3) for t in r.t_s[::every]],
        "op": [plain(x) for x in r.op[::every]],
        "pv": [plain(x) for x in r.pv[::every]],
    }


def _margins_row(m: Margins) -> dict[str, Any]:
    return {
        "stable": m.stable,
        "ms": plain(m.ms),
        "mt": plain(m.mt),
        "gain_margin": plain(m.gain_margin),
        "phase_margin_deg": plain(m.phase_margin_deg),
        "delay_margin_s": plain(m.delay_margin_s),
    }


def notation_rows(gains: IsaGains, written: Written) -> list[dict[str, Any]]:
    """The gains, K as the loop shows it, as each form and each common PLC block writes them."""
    rows = notations(
        gains, action=written.action, pv_unit=written.unit, op_unit=written.op_unit or "1", op_span=written.op_span
    )
    return [
        {
            "block": row.block,
            "values": {k: v if isinstance(v, bool) else plain(v) for k, v in row.values.items()},
            "units": row.units,
            "formula": row.formula,
            "note": row.note,
        }
        for row in rows
    ]


def _candidate_row(row: Candidate, predicted: Predicted | None, sign_of_k: float, written: Written) -> dict[str, Any]:
    g = row.gains
    return {
        "rule": row.rule,
        "gains": {"k": sign_of_k * g.k, "ti_s": plain(g.ti_s), "td_s": g.td_s, "n": plain(g.n), "b": g.b, "c": g.c},
        "notations": notation_rows(replace(g, k=sign_of_k * g.k), written),
        "within": row.within,
        "margins": _margins_row(row.margins),
        "worst": _margins_row(row.worst),
        "iae": plain(row.iae),
        "hf_gain": plain(row.hf_gain),
        "noise_gain": plain(row.noise_gain),
        "setpoint": None if predicted is None or predicted.setpoint is None else _band_row(predicted.setpoint),
        "load": None if predicted is None or predicted.load is None else _band_row(predicted.load),
    }


def _band_row(band: Band) -> dict[str, Any]:
    every = max(1, len(band.t_s) // SHOWN_POINTS)
    names = ("t_s", "pv", "op", "low", "high")
    return {name: _list(getattr(band, name)[::every]) for name in names}


def _list(values: FloatArray) -> list[float | None]:
    return [plain(float(x)) for x in np.asarray(values)]
