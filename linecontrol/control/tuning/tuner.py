"""From a model with its doubt to gains a person can judge: one recommendation, the known rules beside it. Pure.

The recommendation is the least IAE after a load step on the model, at a max(Ms, Mt) of ``peak`` or as much below it as
keeps ``worst_peak`` on every process that agrees with the test. The rules are shown as their authors wrote them, with
the same figures, so that what each would do is seen before any is applied.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from linecontrol.control.forms import USUAL_N, IsaGains
from linecontrol.control.tuning.closed_loop import load_iae, load_response, noise_gain, setpoint_response
from linecontrol.control.tuning.grain import warning
from linecontrol.control.tuning.identification import Identified
from linecontrol.control.tuning.models import FloatArray, Process
from linecontrol.control.tuning.optimum import Limits, Structure, best_gains, calm_gains
from linecontrol.control.tuning.record import Refusal
from linecontrol.control.tuning.robustness import Margins, margins, worst_margins
from linecontrol.control.tuning.rules import RULES

RELAXED = 2.0  # a set so wide that ``worst_peak`` cannot be kept is tried with this, and a warning
OVERSHOOT = 0.1  # of a set-point step; beyond it b is made smaller
_OPTIMUM = "min IAE(load step), max(Ms, Mt) <= {peak:g}, <= {worst:g} on all that agrees with the test"
_SOURCE = "K. J. Astrom, H. Panagopoulos, T. Hagglund, Automatica 34:585, 1998 (constraints); IAE as objective"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Gains with what they are predicted to do.

    Attributes:
        rule: its name; formula, source: where the gains come from. gains: ISA, sign of the process gain.
        margins: on the model. worst: on all processes that agree with the test (the model included).
        iae: after a unit load step at the process input [PV unit s / output unit]; inf when unstable or without
            integral action.
        hf_gain: |K|(1 + N), the largest gain from PV noise to output [output unit / PV unit].
        noise_gain: output's standard deviation over that of white PV noise [output unit / PV unit]; NaN when unstable.
        within: it keeps the limits asked for.
    """

    rule: str
    formula: str
    source: str
    gains: IsaGains
    margins: Margins
    worst: Margins
    iae: float
    hf_gain: float
    noise_gain: float
    within: bool


@dataclass(frozen=True, slots=True)
class Tuning:
    """The recommendation, and what else there is. True in a condition.

    Attributes:
        best: recommended. others: the rules' gains, least IAE first among those within the limits, then the rest.
        process: tuned for, with half a sample of hold in its delay. limits: as kept.
        not_served: rule to the reason why it gives nothing. warnings: what to know before applying.
    """

    best: Candidate
    others: tuple[Candidate, ...]
    process: Process
    limits: Limits
    not_served: dict[str, str]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Band:
    """A predicted deviation over time with its band over all that agrees with the test.

    Attributes:
        t_s: times [s]. pv, op: of the model. low, high: of the PV over the set [PV unit].
    """

    t_s: FloatArray
    pv: FloatArray
    op: FloatArray
    low: FloatArray
    high: FloatArray


def tune(
    found: Identified | Process | Refusal,
    *,
    structure: Structure = "pid",
    limits: Limits | None = None,
    period_s: float | None = None,
    n: float = USUAL_N,
    smallest_move: float = 0.0,
) -> Tuning | Refusal:
    """Gains for this process.

    Args:
        found: an identified process with its doubt, or a process taken as exact. A refusal of the record is handed
            through, so that ``tune(identify(...))`` says what is wrong with the record.
        structure: "pi" or "pid". limits: see ``Limits``; None = its defaults.
        period_s: sample time of the loop [s], >= 0; None = that of the test, or 0 for a bare process.
        n: derivative filter ratio Td/Tf, > 0.
        smallest_move: that the actuator makes, by its resolution or because it sticks [output unit]; 0 = any.
    Raises:
        ValueError: for an argument that is not accepted, with what is.
    """
    if structure not in ("pi", "pid"):
        raise ValueError(f"structure {structure!r} is not accepted (accepted: 'pi', 'pid')")
    if isinstance(found, Refusal):
        return found
    limits = Limits() if limits is None else limits
    period = period_s if period_s is not None else found.period_s if isinstance(found, Identified) else 0.0
    if not 0.0 <= smallest_move < math.inf:
        raise ValueError(f"smallest_move {smallest_move!r} is not accepted (accepted: 0 or more, finite)")
    if not 0.0 <= period < math.inf:
        raise ValueError(f"period_s {period!r} is not accepted (accepted: 0 s or more, finite)")
    process, possible = _with_hold(found, 0.5 * period)
    if process.delay_s == 0.0 and process.zero_s >= 0.0 and limits.hf_gain == math.inf:
        return Refusal(
            "no-gains",
            "a process without any delay sets no limit to the gain; give the loop's sample time (period_s), or the"
            " largest gain from noise to output that the actuator bears (hf_gain)",
        )
    warnings = [said] if (said := warning(process, smallest_move)) else []
    try:
        gains, limits = _within(process, possible, limits, structure, n, warnings)
    except ValueError as error:
        return Refusal("no-gains", str(error))
    gains = _weighted(process, gains)
    formula = _OPTIMUM.format(peak=limits.peak, worst=limits.worst_peak)
    name = f"optimal {structure.upper()}"
    best = judged(name, gains, process, possible, limits, period, formula=formula, source=_SOURCE)
    others, not_served = _by_rules(process, possible, limits, period, n)
    return Tuning(best, others, process, limits, not_served, tuple(warnings))


def _with_hold(found: Identified | Process, hold_s: float) -> tuple[Process, tuple[Process, ...]]:
    if isinstance(found, Process):
        return found.delayed(hold_s), ()
    return found.process.delayed(hold_s), tuple(p.delayed(hold_s) for p in found.possible)


def _within(
    process: Process,
    possible: tuple[Process, ...],
    limits: Limits,
    structure: Structure,
    n: float,
    warnings: list[str],
) -> tuple[IsaGains, Limits]:
    calm = calm_gains((process, *possible), limits, structure=structure, n=n)
    if calm is not None:
        return calm, limits
    try:
        return best_gains((process, *possible), limits, structure=structure, n=n), limits
    except ValueError:
        if not possible or limits.worst_peak >= RELAXED:
            raise
    relaxed = replace(limits, worst_peak=RELAXED)
    gains = best_gains((process, *possible), relaxed, structure=structure, n=n)
    warnings.append(
        f"the test leaves so much doubt that max(Ms, Mt) <= {limits.worst_peak:g} could not be kept on all that agrees"
        f" with it; {RELAXED:g} was used. A larger step or a longer record will do better"
    )
    return gains, relaxed


def _weighted(process: Process, gains: IsaGains) -> IsaGains:
    """b made smaller, by fifths, until a set-point step overshoots by no more than a tenth."""
    for b in (1.0, 0.8, 0.6, 0.4, 0.2, 0.0):
        trial = replace(gains, b=b)
        if float(np.max(setpoint_response(process, trial).pv)) <= 1.0 + OVERSHOOT:
            return trial
    return replace(gains, b=0.0)


def judged(
    rule: str,
    gains: IsaGains,
    process: Process,
    possible: tuple[Process, ...] = (),
    limits: Limits | None = None,
    period_s: float = 0.0,
    *,
    formula: str = "",
    source: str = "",
) -> Candidate:
    """Any gains (those of a rule, the old ones, a person's) with what they are predicted to do.

    ``process`` and ``possible`` with the hold in their delays already; ``period_s`` [s] only for the noise (0 = NaN).
    """
    limits = Limits() if limits is None else limits
    here = margins(process, gains)
    worst = worst_margins((process, *possible), gains)
    integral = gains.ti_s < math.inf
    noisy = here.stable and period_s > 0.0
    return Candidate(
        rule,
        formula,
        source,
        gains,
        here,
        worst,
        load_iae(process, gains) if here.stable and integral else math.inf,
        abs(gains.k) * (1.0 + (gains.n if gains.td_s > 0.0 else 0.0)),
        noise_gain(process, gains, period_s) if noisy else math.nan,
        # The search keeps its limits on its own grid; the finer one of the figures may see a little more.
        here.worst <= limits.peak * 1.01 and worst.worst <= limits.worst_peak * 1.01,
    )


def _by_rules(
    process: Process, possible: tuple[Process, ...], limits: Limits, period_s: float, n: float
) -> tuple[tuple[Candidate, ...], dict[str, str]]:
    found, not_served = [], {}
    for rule in RULES:
        try:
            gains = replace(rule.gains(process), n=n)
        except ValueError as error:
            not_served[rule.name] = str(error)
            continue
        found.append(
            judged(rule.name, gains, process, possible, limits, period_s, formula=rule.formula, source=rule.source)
        )
    return tuple(sorted(found, key=lambda c: (not c.within, not c.margins.stable, c.iae))), not_served


def predict_load(found: Identified | Process, gains: IsaGains, *, size: float = 1.0, period_s: float = 0.0) -> Band:
    """What a load step of ``size`` [output unit] at the process input will do; a band over what agrees with the test.

    Raises ValueError when the loop would be unstable on the model, or has no integral action.
    """
    return _band(found, gains, size, period_s, setpoint=False)


def predict_setpoint(found: Identified | Process, gains: IsaGains, *, size: float = 1.0, period_s: float = 0.0) -> Band:
    """What a set-point step of ``size`` [PV unit] will do. As ``predict_load``."""
    return _band(found, gains, size, period_s, setpoint=True)


def _band(found: Identified | Process, gains: IsaGains, size: float, period_s: float, *, setpoint: bool) -> Band:
    process, possible = _with_hold(found, 0.5 * period_s)
    if gains.ti_s == math.inf:
        raise ValueError("without integral action the answer does not end at the set point; accepted: ti_s finite")
    if not margins(process, gains).stable:
        raise ValueError("the loop would be unstable on the model with these gains, so that nothing can be predicted")
    step = setpoint_response if setpoint else load_response
    middle = step(process, gains, size=size)
    rows = [middle.pv]
    span_s = float(middle.t_s[-1] + middle.t_s[1])
    for other in possible:
        if margins(other, gains, points=800).stable:
            row = step(other, gains, size=size, span_s=span_s).pv
        else:  # it would grow without limit there: the band must say so
            row = np.where(middle.t_s > other.delay_s, math.inf * (1.0 if size > 0.0 else -1.0), 0.0)
        rows.append(np.resize(row, middle.pv.shape))
    stack = np.vstack(rows)
    return Band(middle.t_s, middle.pv, middle.op, np.min(stack, axis=0), np.max(stack, axis=0))
