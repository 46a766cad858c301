"""The nine states of an alarm and the one table that leads from one to another (ANSI/ISA-18.2-2016, figure 5).

Pure. Shelved, suppressed by design and out of service take an alarm from the operator's view, not from evaluation:
when the last of them ends, a standing condition is told anew.
"""

from __future__ import annotations

from enum import StrEnum

from linecontrol.core.errors import StateError


class AlarmState(StrEnum):
    NORM = "NORM"  # normal
    UNACK = "UNACK"  # in alarm, not acknowledged
    ACKED = "ACKED"  # in alarm, acknowledged
    RTNUN = "RTNUN"  # returned to normal, not acknowledged
    LUNAK = "LUNAK"  # latched: returned to normal, not acknowledged, to be reset
    LACKD = "LACKD"  # latched: returned to normal, acknowledged, to be reset
    SHLVD = "SHLVD"  # shelved by a person, for a time
    DSUPR = "DSUPR"  # suppressed by design: it means nothing in this state of the plant
    OOSRV = "OOSRV"  # out of service: being worked on


class Signal(StrEnum):
    """What can happen to an alarm."""

    RAISE = "raise"  # its condition came
    CLEAR = "clear"  # its condition went
    ACKNOWLEDGE = "acknowledge"
    RESET = "reset"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    SUPPRESS = "suppress"
    UNSUPPRESS = "unsuppress"
    REMOVE = "out-of-service"
    RETURN = "return"


_S, _G = AlarmState, Signal

PLAIN: dict[tuple[AlarmState, Signal], AlarmState] = {
    (_S.NORM, _G.RAISE): _S.UNACK,
    (_S.UNACK, _G.CLEAR): _S.RTNUN,
    (_S.UNACK, _G.ACKNOWLEDGE): _S.ACKED,
    (_S.ACKED, _G.CLEAR): _S.NORM,
    (_S.RTNUN, _G.RAISE): _S.UNACK,
    (_S.RTNUN, _G.ACKNOWLEDGE): _S.NORM,
}
"""An alarm that is not latched."""

LATCHED: dict[tuple[AlarmState, Signal], AlarmState] = {
    **PLAIN,
    (_S.UNACK, _G.CLEAR): _S.LUNAK,
    (_S.ACKED, _G.CLEAR): _S.LACKD,
    (_S.LUNAK, _G.RAISE): _S.UNACK,
    (_S.LACKD, _G.RAISE): _S.UNACK,
    (_S.LUNAK, _G.ACKNOWLEDGE): _S.LACKD,
    (_S.LACKD, _G.RESET): _S.NORM,
}
"""One that a person must reset when its cause is gone."""

IN_VIEW = frozenset({_S.NORM, _S.UNACK, _S.ACKED, _S.RTNUN, _S.LUNAK, _S.LACKD})
UNACKNOWLEDGED = frozenset({_S.UNACK, _S.RTNUN, _S.LUNAK})
STANDING = IN_VIEW - {_S.NORM}

_HIDES = {_G.REMOVE: _S.OOSRV, _G.SHELVE: _S.SHLVD, _G.SUPPRESS: _S.DSUPR}
_SHOWS = {_G.RETURN: _S.OOSRV, _G.UNSHELVE: _S.SHLVD, _G.UNSUPPRESS: _S.DSUPR}
_FIRST = (_S.OOSRV, _S.SHLVD, _S.DSUPR)  # which of several is shown


class Standing:
    """Where one alarm stands: the table's state, and what hides it. Change it by ``take`` only."""

    __slots__ = ("hidden", "is_active", "is_latched", "latches", "state")

    def __init__(self, latches: bool = False) -> None:
        self.latches = latches
        self.state = AlarmState.NORM
        self.is_active = False
        self.is_latched = False
        self.hidden: frozenset[AlarmState] = frozenset()

    def why_not(self, signal: Signal) -> str | None:
        """Why a person's signal is not legal now; None when it is. RAISE, CLEAR and suppression always are."""
        state = self.state
        if signal in (Signal.RAISE, Signal.CLEAR, Signal.SUPPRESS, Signal.UNSUPPRESS):
            return None
        if signal in _HIDES:
            return f"it is {_WORDS[_HIDES[signal]]} already" if _HIDES[signal] in self.hidden else None
        if signal in _SHOWS:
            return None if _SHOWS[signal] in self.hidden else f"it is not {_WORDS[_SHOWS[signal]]}"
        table = LATCHED if self.latches else PLAIN
        if (state, signal) in table:
            return None
        if state in (_S.SHLVD, _S.DSUPR, _S.OOSRV):
            return f"it is {_WORDS[state]}"
        if signal is Signal.RESET:
            if not self.latches:
                return "it is not latched: it goes by itself when its cause is gone"
            return {
                _S.NORM: "there is nothing to reset",
                _S.LUNAK: "acknowledge it first",
            }.get(state, "its cause is still there")
        return "it is normal" if state is _S.NORM else "it is acknowledged already"

    def take(self, signal: Signal) -> bool:
        """Change the state; True when it is another now. Raises StateError with the reason when not legal."""
        why = self.why_not(signal)
        if why is not None:
            raise StateError(why)
        before = self.state
        if signal in (Signal.RAISE, Signal.CLEAR):
            self.is_active = signal is Signal.RAISE
            keeps = self.hidden <= {_S.SHLVD}  # what comes while suppressed or being worked on is not latched
            self.is_latched = self.is_latched or (self.is_active and self.latches and keeps)
        elif signal is Signal.RESET:
            self.is_latched = False
        if signal in _HIDES:
            self.hidden = self.hidden | {_HIDES[signal]}
        elif signal in _SHOWS:
            self.hidden = self.hidden - {_SHOWS[signal]}
            if signal is not Signal.UNSHELVE:
                self.is_latched = self.is_latched and self.is_active and self.latches
        if self.hidden:
            self.state = next(state for state in _FIRST if state in self.hidden)
        elif before in IN_VIEW:
            self.state = (LATCHED if self.latches else PLAIN).get((before, signal), before)
        elif self.is_active:
            self.state, self.is_latched = _S.UNACK, self.latches
        else:
            self.state = _S.LUNAK if self.is_latched else _S.NORM
        return self.state is not before


_WORDS = {_S.SHLVD: "shelved", _S.DSUPR: "suppressed by design", _S.OOSRV: "out of service"}
