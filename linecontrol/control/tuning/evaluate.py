"""From the record of a live test to what a person decides on: data judged, model, gains, predictions. Pure, and slow
(a second or so): a line hands it to a process of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from linecontrol.control.forms import IsaGains
from linecontrol.control.tuning.identification import Identified, identify
from linecontrol.control.tuning.moves import Kind, longest_gap_s
from linecontrol.control.tuning.optimum import Limits, Structure
from linecontrol.control.tuning.plan import TestRecord
from linecontrol.control.tuning.record import Refusal
from linecontrol.control.tuning.relay import identify_relay
from linecontrol.control.tuning.tuner import (
    Band,
    Candidate,
    Tuning,
    judged,
    predict_load,
    predict_setpoint,
    tune,
)

MOST_LIMITED = 0.05  # of the samples at a limit
MOST_BAD = 0.1  # of the PVs not GOOD
LONGEST_GAP = 10.0  # usual sample times
CLEARLY = 10.0  # times the noise: an answer from which a process may be taken as integrating
THINNEST = 1500  # samples that a fit is given: more make it slow, not better


@dataclass(frozen=True, slots=True)
class Predicted:
    """What these gains will do after a set-point step and after a load step; None where it is unstable."""

    setpoint: Band | None
    load: Band | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a test has shown. True in a condition when gains are offered.

    Attributes:
        found: the model, or why there is none. tuning: the gains, or why there are none.
        present: the present gains judged in the same way; None without a model.
        predicted: by name of the candidate, "present" for the present gains. sp_size, load_size: of the predicted
            steps [PV unit, output unit].
    """

    found: Identified | Refusal
    tuning: Tuning | Refusal
    present: Candidate | None
    predicted: dict[str, Predicted]
    sp_size: float
    load_size: float

    def __bool__(self) -> bool:
        return bool(self.found) and bool(self.tuning)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """All gains on offer, the recommended ones first."""
        return (self.tuning.best, *self.tuning.others) if isinstance(self.tuning, Tuning) else ()


def why_not_fit(record: TestRecord) -> Refusal | None:
    """Data that no model should be made of; None = they will do."""
    n = len(record.t_s)
    if n == 0:
        return Refusal("record", "nothing was recorded")
    limited = sum(record.limited) / n
    if limited > MOST_LIMITED:
        return Refusal(
            "limited",
            f"the output (or that of the inner loop) was at a limit for {limited:.0%} of the test (accepted:"
            f" {MOST_LIMITED:.0%}); make a smaller move, or start from another output",
        )
    bad = float(np.mean(~np.isfinite(record.pv)))
    if bad > MOST_BAD:
        return Refusal("missing", f"{bad:.0%} of the PVs were not GOOD (accepted: {MOST_BAD:.0%})")
    usual = float(np.median(np.diff(record.t_s))) if n > 1 else 0.0
    gap = longest_gap_s(record.t_s)
    if gap > LONGEST_GAP * usual:
        return Refusal("time", f"nothing was recorded for {gap:.3g} s (accepted: {LONGEST_GAP * usual:.3g} s)")
    return None


def evaluate(
    kind: Kind,
    record: TestRecord,
    present: IsaGains,
    *,
    sign: int,
    period_s: float,
    structure: Structure,
    size: float,
    drift_per_s: float = 0.0,
    limits: Limits | None = None,
    smallest_move: float = 0.0,
) -> Evaluation:
    """Judge, identify, tune, predict.

    Args:
        record: from where the output was held still. present: the loop's gains, with the sign of the process.
        sign: of the process gain, as the loop's action has it. period_s: of the loop [s]. structure: "pi" or "pid".
        size: of the test's moves [output unit]; predicted load steps have it too.
        smallest_move: see ``tune``.
        drift_per_s: the process's own, as it was seen before the test [PV unit/s]: known, it is no doubt of the fit.
    """
    found = why_not_fit(record) or _identified(kind, _levelled(record, drift_per_s), sign)
    if not isinstance(found, Identified):
        return Evaluation(found, found, None, {}, 0.0, abs(size))
    tuning = tune(found, structure=structure, limits=limits, period_s=period_s, smallest_move=smallest_move)
    hold = 0.5 * period_s
    process, possible = found.process.delayed(hold), tuple(p.delayed(hold) for p in found.possible)
    now = judged("present", present, process, possible, limits, period_s, formula="as the loop has them")
    sp_size = max(abs(size * found.process.gain) if not found.process.integrating else 0.0, 3.0 * found.noise_sd)
    predicted = {"present": _predict(found, present, sp_size, abs(size), period_s)}
    if isinstance(tuning, Tuning):
        for row in (tuning.best, *tuning.others):
            predicted[row.rule] = _predict(found, row.gains, sp_size, abs(size), period_s)
    return Evaluation(found, tuning, now, predicted, sp_size, abs(size))


def _identified(kind: Kind, record: TestRecord, sign: int) -> Identified | Refusal:
    record = _thinned(record)
    if kind is Kind.RELAY:
        found = identify_relay(record.t_s, record.op, record.pv, expected_sign=sign)
        if isinstance(found, Refusal) and found.code in ("not-settled", "restless", "drift"):
            # Its switches are rich enough for a general fit, which bears a drift
            other = identify(record.t_s, record.op, record.pv, expected_sign=sign, drift=True)
            return replace(other, warnings=(*other.warnings, found.reason)) if isinstance(other, Identified) else found
        return found
    found = identify(record.t_s, record.op, record.pv, expected_sign=sign, drift=True)
    if isinstance(found, Refusal) and found.code in ("not-settled", "restless"):
        # Its lags are too long for the record: what is known is how fast it starts, and by that it can be tuned
        other = identify(
            record.t_s, record.op, record.pv, expected_sign=sign, drift=True, classes=("integrating", "integrating-lag")
        )
        if isinstance(other, Identified) and other.step_noise_ratio >= CLEARLY:
            return replace(other, warnings=(*other.warnings, f"taken as integrating, for {found.reason}"))
    return found


def _levelled(record: TestRecord, drift_per_s: float) -> TestRecord:
    if drift_per_s == 0.0:
        return record
    pv = [y - drift_per_s * (t - record.t_s[0]) for t, y in zip(record.t_s, record.pv, strict=True)]
    return TestRecord(record.t_s, record.op, pv, record.limited)


def _thinned(record: TestRecord) -> TestRecord:
    """At most some ``THINNEST`` samples. Those at which the output moved are kept: a move must stay at its time."""
    n = len(record.t_s)
    every = -(-n // THINNEST)
    if every <= 1:
        return record
    keep = [k for k in range(n) if k % every == 0 or record.op[k] != record.op[k - 1]]
    return TestRecord(
        [record.t_s[k] for k in keep],
        [record.op[k] for k in keep],
        [record.pv[k] for k in keep],
        [record.limited[k] for k in keep],
    )


def _predict(found: Identified, gains: IsaGains, sp_size: float, load_size: float, period_s: float) -> Predicted:
    try:
        return Predicted(
            predict_setpoint(found, gains, size=sp_size, period_s=period_s),
            predict_load(found, gains, size=load_size, period_s=period_s),
        )
    except ValueError:
        return Predicted(None, None)
