"""A recorded test as a fit wants it, or the reason why it is not fit for one. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linecontrol.control.tuning.models import FloatArray, Moves
from linecontrol.control.tuning.times import Times, seconds

FEWEST = 25  # samples
SPIKE = 15.0  # times the usual distance from the median of five neighbours
SPIKE_SHARE = 0.3  # of the PV's range without its outermost samples
SPIKES = 0.01  # share of the samples that may be spikes; more are not wires but the process
BAD_SHARE = 0.2  # of samples that may be missing
STUCK_SHARE, STUCK_TIMES = 0.3, 10.0  # of the time after the move, and of the longest rest before it: nothing lives so
RESTLESS = 0.01  # of the PV's range: less of a motion before the move changes no gain
CLEAR_MOVE = 0.1  # of the output's range: a move so small dates nothing
LONG_GAP = 2.0  # usual periods: a longer one before a move leaves open when it was made
DEADBAND = 0.2  # of the usual change: a PV that never changes by less was recorded on change
SEEN_BEFORE = 10  # samples before the move that tell whether the PV lives
Numbers = Sequence[float] | FloatArray


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no model (or no gains) is offered. False in a condition, so that ``if not found`` reads well.

    Attributes:
        code: one of "record", "time", "missing", "no-step", "small-step", "drift", "restless", "not-settled",
            "wrong-sign", "coarse", "no-fit", "no-gains", "stuck".
        reason: what is wrong, with the value, and what would do.
    """

    code: str
    reason: str

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Record:
    """A test without gaps in its values.

    Attributes:
        t_s: times from 0 [s], rising. y: PV [PV unit]. moves: of the output. u_span: its range [output unit].
        period_s: usual sample time [s]. bad_share: of samples left out, 0 to 1. spikes: samples left out because they
            stood far from both neighbours. op_blank_share: of rows without an output, 0 to 1.
        gap_s: longest time without a row just before a move of the output [s]: the move may have been made at any time
            in it, and is dated at its end. 0 = none longer than ``LONG_GAP`` usual periods.
    """

    t_s: FloatArray
    y: FloatArray
    moves: Moves
    u_span: float
    period_s: float
    bad_share: float
    spikes: int = 0
    op_blank_share: float = 0.0
    gap_s: float = 0.0

    @property
    def span_s(self) -> float:
        """Length [s]."""
        return float(self.t_s[-1])

    @property
    def after_s(self) -> float:
        """Time from the first move to the end [s]."""
        return self.span_s - float(self.moves.times_s[0])


def read_record(
    t_s: Times, u: Numbers, y: Numbers, good: Sequence[bool] | None = None, *, skip_s: float = 0.0
) -> Record | Refusal:
    """Check and clean a test.

    Args:
        t_s: times [s] or dates (see ``seconds``), rising; the first need not be 0. u: output, held from each time on
            [output unit]; a missing value is taken as unchanged. y: PV [PV unit]. NaN is missing.
        good: quality of each PV sample; None = all good but NaN.
        skip_s: PVs of the first so many seconds are not looked at (the outputs are).
    """
    try:
        t = seconds(t_s)
    except ValueError as error:
        return Refusal("time", str(error))
    try:
        op, pv = (np.array(x, dtype=np.float64) for x in (u, y))
        fine: NDArray[np.bool_] = np.isfinite(pv) if good is None else np.isfinite(pv) & np.asarray(good, dtype=bool)
    except (TypeError, ValueError) as error:
        return Refusal("record", f"a value of the record is not a number: {error}")
    if not t.ndim == op.ndim == pv.ndim == 1 or not len(t) == len(op) == len(pv) == len(fine):
        return Refusal("record", f"lengths differ: {len(t)} times, {len(op)} outputs, {len(pv)} PVs")
    if len(t) < FEWEST:
        return Refusal("record", f"{len(t)} samples are too few (accepted: {FEWEST} or more)")
    if not np.all(np.isfinite(t)):
        return Refusal("time", f"sample {int(np.argmin(np.isfinite(t)))} has no time")
    if np.any(np.diff(t) <= 0.0):
        n = int(np.argmax(np.diff(t) <= 0.0)) + 1
        return Refusal("time", f"time does not rise at sample {n}: {t[n]:g} s follows {t[n - 1]:g} s")
    share = 1.0 - float(np.mean(fine))  # an output is often recorded only when it changes
    if share > BAD_SHARE:
        return Refusal("missing", f"{share:.0%} of the samples are missing or bad (accepted: up to {BAD_SHARE:.0%})")
    return _cleaned(t - t[0], op, pv, fine & (t - t[0] >= skip_s), share)


def _cleaned(t: FloatArray, op: FloatArray, pv: FloatArray, fine: NDArray[np.bool_], share: float) -> Record | Refusal:
    if not np.any(np.isfinite(op)):
        return Refusal("missing", "the output is missing throughout, so that no move can be told from it")
    first = int(np.argmax(np.isfinite(op)))  # what the PV did before the first known output tells nothing
    t, op, pv, fine = t[first:], op[first:], pv[first:], fine[first:]
    blank = 1.0 - float(np.mean(np.isfinite(op)))
    op = op[np.maximum.accumulate(np.where(np.isfinite(op), np.arange(len(op)), 0))]
    spikes = fine & _spikes(pv, fine)
    fine = fine & ~spikes
    if np.count_nonzero(fine) < FEWEST:
        return Refusal("record", f"{np.count_nonzero(fine)} usable samples are too few (accepted: {FEWEST} or more)")
    span = float(np.ptp(op))
    if span == 0.0:
        return Refusal("no-step", f"the output did not move: it is {op[0]:g} throughout; a test needs a step")
    if float(np.ptp(pv[fine])) == 0.0:
        return Refusal("no-step", f"the PV did not move: it is {pv[fine][0]:g} throughout")
    moves = Moves.of(t, op)
    stuck = _stuck(t[fine], pv[fine], float(moves.times_s[0]))
    if stuck is not None:
        return stuck
    if moves.times_s[0] > t[fine][-1] - 5 * float(np.median(np.diff(t))):
        return Refusal("not-settled", "the output moved at the very end of the record; go on recording after the step")
    period = float(np.median(np.diff(t)))
    gap = _gap_before(t, op, CLEAR_MOVE * span)
    gap = gap if gap > LONG_GAP * period and not _on_change(op, pv) else 0.0
    return Record(t[fine], pv[fine], moves, span, period, share, int(np.count_nonzero(spikes)), blank, gap)


def _gap_before(t: FloatArray, op: FloatArray, least: float) -> float:
    """Longest time [s] between the rows at which the output moved by ``least`` or more and those before them."""
    return float(np.max(np.diff(t)[np.abs(np.diff(op)) >= least], initial=0.0))


def _stuck(t: FloatArray, pv: FloatArray, moved_s: float) -> Refusal | None:
    """A PV that stands still to the last digit after the output moved, and did not before: the instrument is stuck."""
    before_s, _ = _stillest(t, pv, -math.inf, moved_s)
    after_s, value = _stillest(t, pv, moved_s, math.inf)
    span_s = float(t[-1]) - moved_s
    if np.count_nonzero(t < moved_s) < SEEN_BEFORE or after_s < max(STUCK_SHARE * span_s, STUCK_TIMES * before_s):
        return None
    return Refusal(
        "stuck",
        f"the PV stood still at {value:g} for {after_s:.4g} s of the {span_s:.4g} s after the output's first move,"
        f" though not before (accepted: up to {STUCK_SHARE:.0%}); look at its instrument, then repeat",
    )


def _stillest(t: FloatArray, pv: FloatArray, since_s: float, until_s: float) -> tuple[float, float]:
    """Longest time [s] that the PV showed one value within these times, and that value."""
    known = (t >= since_s) & (t <= until_s)
    t, pv = t[known], pv[known]
    if len(t) < 2:
        return 0.0, math.nan
    edges = np.flatnonzero(np.concatenate(([True], np.diff(pv) != 0.0, [True])))
    lasts = t[edges[1:] - 1] - t[edges[:-1]]
    longest = int(np.argmax(lasts))
    return float(lasts[longest]), float(pv[edges[longest]])


def restless(record: Record) -> bool:
    """Whether the PV moved before the output did, as far as enough of that was recorded: its first and last third
    differ by more than their noise and more than a little of all that came."""
    before = record.y[record.t_s < record.moves.times_s[0]]
    third = len(before) // 3
    if len(before) < SEEN_BEFORE:
        return False
    moved = abs(float(np.mean(before[-third:]) - np.mean(before[:third])))
    noise = float(np.std(np.diff(before))) / math.sqrt(third)  # of the difference of two means, were it white
    return moved > max(3.0 * noise, RESTLESS * float(np.ptp(record.y)))


def _spikes(pv: FloatArray, fine: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Samples far from the median of the five about them: a wire, not a process. At most a few of a record."""
    known = pv[fine]
    off = np.zeros_like(pv)
    if len(known) >= FEWEST:
        ends = np.concatenate((known[:1], known[:1], known, known[-1:], known[-1:]))
        off[fine] = np.abs(known - np.median(np.lib.stride_tricks.sliding_window_view(ends, 5), axis=1))
    usual = float(np.median(off[fine])) if len(known) else 0.0
    bulk = float(np.ptp(np.quantile(known, (0.02, 0.98)))) if len(known) else 0.0
    far = off > max(SPIKE * usual, SPIKE_SHARE * bulk)
    return far if np.count_nonzero(far) <= max(1.0, SPIKES * len(known)) else np.zeros_like(far)


def _on_change(op: FloatArray, pv: FloatArray) -> bool:
    """A record written only when something changed (by a deadband, or a digit): its moves are dated by their own rows,
    however long nothing came before. In one written by the clock the PV all but repeats itself now and then."""
    changes = np.abs(np.diff(pv))[(np.diff(op) == 0.0) & np.isfinite(np.diff(pv))]
    return len(changes) >= FEWEST and float(np.min(changes)) > DEADBAND * float(np.median(changes))
