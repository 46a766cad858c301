"""Why the best model of a record is not good enough to be offered, and what would do. Pure."""

from __future__ import annotations

import math
from dataclasses import replace

from linecontrol.control.tuning.beyond import Pair
from linecontrol.control.tuning.doubt import half_width
from linecontrol.control.tuning.misfit import swings_by_itself, why_not_by_the_gap, why_not_by_the_output
from linecontrol.control.tuning.record import Record, Refusal
from linecontrol.control.tuning.regression import Fit, Regression

RESTLESS, SLOW_PHI = 0.1, 0.9  # noise of so much of the answer's range, so alike from sample to sample, is a load's
CLEAR = 3.0  # least range of the fitted answer over the noise's standard deviation
COARSEST = 2.0  # samples within delay + lags, at least


def why_unfit(
    regression: Regression, fit: Fit, swing: float, expected_sign: int | None, widest_gain: float
) -> Refusal | None:
    """None = it may be offered. ``swing``: range of its answer to the output [PV unit]; the others as ``identify``."""
    record, process, noise = regression.record, fit.process(), fit.noise_sd
    if swing < CLEAR * noise:
        ratio = swing / noise
        return Refusal(
            "small-step",
            f"the answer to the output's move is {ratio:.2g} times the noise ({noise:.3g}; accepted: {CLEAR:g} or"
            f" more); repeat with a step about {max(1.5, 5.0 / max(ratio, 1e-9)):.2g} times as large",
        )
    drifted = abs(float(fit.linear[1])) if regression.drift else 0.0
    if drifted > swing and not process.integrating:
        return Refusal(
            "drift",
            f"the PV drifted by {drifted:.3g} during the test, more than the output moved it ({swing:.3g}); wait until"
            " it is at rest, then repeat",
        )
    width = half_width(fit, len(fit.x) + len(fit.linear) - 1) / abs(fit.gain)
    if width > widest_gain and fit.phi > SLOW_PHI and fit.noise_sd > RESTLESS * swing:
        lasts_s = -record.period_s / math.log(fit.phi)
        return Refusal(
            "restless",
            f"the gain is only known to {width:.0%} (accepted: {widest_gain:.0%}): the PV wanders by"
            f" {2.0 * fit.noise_sd:.3g} within some {lasts_s:.2g} s, and the output moved it by {swing:.3g}: a load"
            " moves; wait until it is at rest, then repeat, or make a larger step or a doublet",
        )
    if width > widest_gain:
        return Refusal(
            "not-settled",
            f"the gain is only known to {width:.0%} (accepted: {widest_gain:.0%}): the record ends"
            f" {record.after_s:.4g} s after the first move, its lags and delay are about {process.scale_s:.4g} s;"
            " record for longer, or make a larger step, a doublet or more periods",
        )
    unexplained = why_not_by_the_output(regression, fit, swing)
    if unexplained is not None:
        return unexplained
    if expected_sign is not None and fit.gain * expected_sign < 0.0:
        return Refusal(
            "wrong-sign",
            f"the PV moved {'with' if fit.gain > 0.0 else 'against'} the output (gain {fit.gain:+.3g}), but the loop's"
            " action expects the opposite; check the action, the valve's direction and the wiring",
        )
    if process.scale_s < COARSEST * record.period_s and not process.integrating:
        return Refusal(
            "coarse",
            f"lags and delay together are {process.scale_s:.3g} s, sampled every {record.period_s:.3g} s; sample at"
            f" least every {process.scale_s / 5.0:.2g} s",
        )
    return why_not_by_the_gap(record, process.delay_s, process.scale_s)


def swinging(record: Record, refused: Refusal, pair: Pair | None) -> Refusal:
    """The same refusal, in other words where the process itself is what seems to wander."""
    if pair is not None and pair.swings:
        return replace(
            refused,
            reason=f"a process (or an inner loop) that swings by itself, about every {pair.period_s:.3g} s with a"
            f" damping of {pair.damping:.2f}, explains the record clearly better than all classes known here; damp it,"
            " then repeat",
        )
    period_s = swings_by_itself(record) if refused.code != "not-settled" else None
    if period_s is None:
        return refused
    return replace(
        refused,
        reason=f"the PV overshot and swung back, about every {period_s:.3g} s, ever less: a process (or an inner loop)"
        " that swings by itself is none of the classes known here; damp it, then repeat",
    )
