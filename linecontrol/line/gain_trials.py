"""Applied gains: on trial at first, taken back by themselves when the loop behaves worse, kept over a restart.

A trial lasts ten integral times of the loop being in control, or until a person accepts the gains. What it is judged
by is ``control.tuning.recovery``; here is when, on which points, and what is then done and told.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from linecontrol.control.forms import IsaGains
from linecontrol.control.loop import LoopOutput, Mode
from linecontrol.control.tuning.recovery import Point, why_take_back
from linecontrol.control.tuning.writable import why_not_writable
from linecontrol.core.errors import ConfigError, Problem, StateError
from linecontrol.core.model import Event, Severity
from linecontrol.line.gains_kept import Keeper, gains_from_plain, gains_to_plain
from linecontrol.line.loops import LoopBank

TRIAL_TIS = 10.0  # integral times
LEAST_TRIAL_S, LONGEST_TRIAL_S = 60.0, 3600.0
FLOOR_OF_SPAN = 0.01  # of the set point's span: errors up to this are never held against new gains
LOOK_EVERY = 5  # points
REMEMBERED = 900  # points of a loop's past


@dataclass(slots=True)
class GainTrial:
    """Gains being tried.

    Attributes:
        proven: what is gone back to. trying: the new ones. who, reason: who applied them, and why. began: [line s].
        after: points since in which the PID had these gains in use. in_control_s: for so long. in_use: it has now.
    """

    proven: IsaGains
    trying: IsaGains
    who: str
    reason: str
    began: float
    lasts_s: float
    after: list[Point] = field(default_factory=list)
    in_control_s: float = 0.0
    in_use: bool = False


class GainTrials:
    """``tick`` once per control cycle, after the loops."""

    def __init__(self, bank: LoopBank, keeper: Keeper, emit: Callable[[Event], None], control_period_s: float) -> None:
        self._bank, self._keeper, self._emit, self._period_s = bank, keeper, emit, control_period_s
        self._home = {name: bank.gains_of(name) for name in bank.settings}
        self._previous: dict[str, IsaGains] = {}
        self._before: dict[str, deque[Point]] = {name: deque(maxlen=REMEMBERED) for name in bank.settings}
        self._noise: dict[str, float] = {}
        self._rows: dict[str, dict[str, Any]] = {}
        self._news: list[tuple[str, str, Severity, dict[str, Any]]] = []
        self.trials: dict[str, GainTrial] = {}
        self._recall()

    # -- over a restart
    def _recall(self) -> None:
        for name, row in self._keeper.load().items():
            if name not in self._home:
                continue
            home, kept = gains_from_plain(row["home"]), gains_from_plain(row["kept"])
            if home != self._home[name]:
                self._say(name, f"{name}: the line file's gains were changed since others were applied: they hold")
                continue
            self._rows[name] = dict(row)
            if row.get("previous") is not None:
                self._previous[name] = gains_from_plain(row["previous"])
            if kept != home:
                self._bank.set_gains(name, kept)
                self._say(name, f"{name}: applied gains hold again ({words(kept)}; line file: {words(home)})")
            if row.get("trial") is not None:
                tried = words(gains_from_plain(row["trial"]))
                self._say(name, f"{name}: the controller ended while gains were on trial ({tried}): the former hold")
                self._rows[name]["trial"] = None

    def _say(self, name: str, text: str) -> None:
        self._news.append((name, text, Severity.WARNING, {}))

    def _keep(self, name: str, now: float, who: str, reason: str) -> None:
        trial = self.trials.get(name)
        previous = self._previous.get(name)
        kept = self._bank.gains_of(name) if trial is None else trial.proven
        self._rows[name] = {
            "home": gains_to_plain(self._home[name]),
            "kept": gains_to_plain(kept),
            "previous": None if previous is None else gains_to_plain(previous),
            "trial": None if trial is None else gains_to_plain(trial.trying),
            "who": who,
            "reason": reason,
            "at": now,
        }
        try:
            self._keeper.save(self._rows)
        except OSError as error:
            text = f"{name}: applied gains could not be kept for a restart: {error}"
            self._emit(Event(now, "tuning.not_kept", name, text, Severity.WARNING))

    # -- commands
    def apply(self, name: str, gains: IsaGains, now: float, who: str, reason: str, rule: str) -> GainTrial:
        """Put these gains on trial. Raises ConfigError for gains that no loop may have."""
        why = why_not_writable(gains)
        if why:
            raise ConfigError([Problem("", None, "gains", why)])
        old = self._bank.gains_of(name)
        if gains == old:
            raise StateError(f"{name} has these gains already")
        running = self.trials.pop(name, None)
        proven = old if running is None else running.proven
        ti_s = max(x for x in (gains.ti_s, old.ti_s, 1.0) if math.isfinite(x))
        lasts_s = min(max(TRIAL_TIS * ti_s, LEAST_TRIAL_S), LONGEST_TRIAL_S)
        trial = self.trials[name] = GainTrial(proven, gains, who, reason, now, lasts_s)
        out = self._bank.outputs.get(name)
        trial.in_use = out is not None and _point(now, out) is not None
        self._previous[name] = proven  # gains that never were proven are no place to go back to
        self._bank.set_gains(name, gains)
        text = f"{name}: gains applied by {who} ({rule}): {words(gains)}, before {words(old)}; on trial; {reason}"
        self._tell(now, "tuning.applied", name, text, who, reason, old, gains)
        self._keep(name, now, who, reason)
        return trial

    def accept(self, name: str, now: float, who: str, reason: str) -> None:
        """End the trial: the gains stay. Raises StateError when there is none."""
        trial = self.trials.pop(name, None)
        if trial is None:
            raise StateError(f"{name}: no gains are on trial")
        text = f"{name}: gains on trial accepted by {who}: {words(trial.trying)}; {reason}"
        self._tell(now, "tuning.accepted", name, text, who, reason, trial.proven, trial.trying)
        self._keep(name, now, who, reason)

    def revert(self, name: str, now: float, who: str, reason: str) -> IsaGains:
        """One step back. Raises StateError when there is nothing to go back to."""
        back = self._previous.pop(name, None)
        if back is None:
            raise StateError(f"{name}: no gains were applied that could be taken back")
        old = self._bank.gains_of(name)
        self.trials.pop(name, None)
        self._bank.set_gains(name, back)
        text = f"{name}: gains taken back by {who}: {words(back)}, before {words(old)}; {reason}"
        self._tell(now, "tuning.reverted", name, text, who, reason, old, back)
        self._keep(name, now, who, reason)
        return back

    def note_noise(self, name: str, noise_sd: float) -> None:
        """What a test has found: the PV's noise [PV unit]."""
        self._noise[name] = noise_sd

    # -- the control cycle's share
    def tick(self, now: float, dt_s: float) -> None:
        """Take in a cycle, and take back what does not serve."""
        for name, text, severity, data in self._news:
            self._emit(Event(now, "tuning.recalled", name, text, severity, data=data))
        self._news.clear()
        for name, out in self._bank.outputs.items():
            point = _point(now, out)
            trial = self.trials.get(name)
            if trial is None:
                if point is not None:
                    self._before[name].append(point)
                continue
            trial.in_use = point is not None
            if self._bank.gains_of(name) != trial.trying:
                self._changed_by_hand(name, trial, now)
            elif point is not None:
                trial.in_control_s += dt_s
                trial.after.append(point)
                self._look(name, trial, now)

    def _changed_by_hand(self, name: str, trial: GainTrial, now: float) -> None:
        del self.trials[name]
        text = f"{name}: the trial of gains ended: they were changed by a command"
        self._tell(now, "tuning.accepted", name, text, "system", "a command", trial.trying, self._bank.gains_of(name))
        self._keep(name, now, "system", "gains were changed by a command")

    def _look(self, name: str, trial: GainTrial, now: float) -> None:
        row = self._bank.settings[name]
        if len(trial.after) % LOOK_EVERY == 0:
            floor = max(FLOOR_OF_SPAN * (row.sp_high - row.sp_low), 4.0 * self._noise.get(name, 0.0))
            ti_s = max(x for x in (trial.trying.ti_s, trial.proven.ti_s, 1.0) if math.isfinite(x))
            why = why_take_back(self._before[name], trial.after, floor=floor, ti_s=ti_s, period_s=self._period_s)
            if why:
                self._take_back(name, trial, now, why)
                return
        if trial.in_control_s >= trial.lasts_s:
            del self.trials[name]
            text = f"{name}: gains on trial have held for {trial.in_control_s:.0f} s and stay: {words(trial.trying)}"
            self._tell(now, "tuning.held", name, text, "system", "the trial is over", trial.proven, trial.trying)
            self._keep(name, now, trial.who, trial.reason)

    def _take_back(self, name: str, trial: GainTrial, now: float, why: str) -> None:
        del self.trials[name]
        self._previous.pop(name, None)
        self._bank.set_gains(name, trial.proven)
        text = f"{name}: gains on trial taken back by itself: {why}. {words(trial.proven)} hold again"
        data = _data("system", why, trial.trying, trial.proven)
        self._emit(Event(now, "tuning.taken_back", name, text, Severity.WARNING, data=data))
        self._keep(name, now, "system", why)

    def _tell(
        self, now: float, kind: str, name: str, text: str, who: str, reason: str, old: IsaGains, new: IsaGains
    ) -> None:
        self._emit(Event(now, kind, name, text, data=_data(who, reason, old, new)))

    # -- what others ask
    def view(self, name: str) -> dict[str, Any]:
        """Gains of a loop, those of the line file, the trial, and what a revert would bring."""
        gains, home, previous = self._bank.gains_of(name), self._home[name], self._previous.get(name)
        trial = self.trials.get(name)
        row = self._rows.get(name)
        return {
            "gains": gains_to_plain(gains),
            "line_file": gains_to_plain(home),
            "differs_from_line_file": gains != home,
            "previous": None if previous is None else gains_to_plain(previous),
            "applied": None if row is None else {key: row[key] for key in ("who", "reason", "at")},
            "trial": None
            if trial is None
            else {
                "who": trial.who,
                "reason": trial.reason,
                "falls_back_to": gains_to_plain(trial.proven),
                "in_control_s": round(trial.in_control_s, 1),
                "lasts_s": trial.lasts_s,
                "in_use": trial.in_use,
            },
        }


def words(gains: IsaGains) -> str:
    """Gains in a sentence."""
    return f"K {gains.k:.4g}, Ti {gains.ti_s:.4g} s, Td {gains.td_s:.4g} s, b {gains.b:.2g}"


def _data(who: str, reason: str, old: IsaGains, new: IsaGains) -> dict[str, Any]:
    return {"who": who, "reason": reason, "old": gains_to_plain(old), "new": gains_to_plain(new)}


def _point(now: float, out: LoopOutput) -> Point | None:
    """This cycle of a loop whose PID was in control; None when it was not, or only tracked what another one decided."""
    if out.mode is Mode.MAN or out.following or out.holding or out.led or out.overridden or not math.isfinite(out.pv):
        return None
    return Point(now, out.sp, out.pv, out.high, out.low, out.rate)
