"""The run's state model: one table. Follows the example state model of ANSI/ISA-88.00.01-2010 (IEC 61512-1).

Pure: no clock, no I/O. Transient states end in -ing and leave by themselves; quiescent states wait for a command.
"""

from __future__ import annotations

from enum import StrEnum

from linecontrol.core.errors import StateError


class RunState(StrEnum):
    IDLE = "Idle"
    RUNNING = "Running"
    COMPLETE = "Complete"
    PAUSING = "Pausing"
    PAUSED = "Paused"
    HOLDING = "Holding"
    HELD = "Held"
    RESTARTING = "Restarting"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    ABORTING = "Aborting"
    ABORTED = "Aborted"


class RunCommand(StrEnum):
    """The eight commands, in the order in which a person is shown them."""

    START = "Start"
    RESTART = "Restart"
    RESUME = "Resume"
    HOLD = "Hold"
    PAUSE = "Pause"
    STOP = "Stop"
    ABORT = "Abort"
    RESET = "Reset"


class RunMode(StrEnum):
    """Who lets the next phase begin: the engine, a person each time, or nobody (the person acts by the gate)."""

    AUTOMATIC = "Automatic"
    SEMI_AUTOMATIC = "Semi-automatic"
    MANUAL = "Manual"


_END = {RunCommand.STOP: RunState.STOPPING, RunCommand.ABORT: RunState.ABORTING}
_HOLD_OR_END = {RunCommand.HOLD: RunState.HOLDING, **_END}

TABLE: dict[RunState, dict[RunCommand, RunState]] = {
    RunState.IDLE: {RunCommand.START: RunState.RUNNING},
    RunState.RUNNING: {RunCommand.PAUSE: RunState.PAUSING, **_HOLD_OR_END},
    RunState.PAUSING: _HOLD_OR_END,
    RunState.PAUSED: {RunCommand.RESUME: RunState.RUNNING, **_HOLD_OR_END},
    RunState.HOLDING: _END,
    RunState.HELD: {RunCommand.RESTART: RunState.RESTARTING, **_END},
    RunState.RESTARTING: _HOLD_OR_END,
    RunState.STOPPING: {RunCommand.ABORT: RunState.ABORTING},
    RunState.STOPPED: {RunCommand.ABORT: RunState.ABORTING, RunCommand.RESET: RunState.IDLE},
    RunState.ABORTING: {},
    RunState.ABORTED: {RunCommand.RESET: RunState.IDLE},
    RunState.COMPLETE: {RunCommand.RESET: RunState.IDLE},
}

DONE: dict[RunState, RunState] = {
    RunState.RUNNING: RunState.COMPLETE,
    RunState.PAUSING: RunState.PAUSED,
    RunState.HOLDING: RunState.HELD,
    RunState.RESTARTING: RunState.RUNNING,
    RunState.STOPPING: RunState.STOPPED,
    RunState.ABORTING: RunState.ABORTED,
}
"""Where a transient state goes when its work is done."""

TRANSIENT = frozenset(DONE)
QUIESCENT = frozenset(RunState) - TRANSIENT
ENDED = frozenset({RunState.COMPLETE, RunState.STOPPED, RunState.ABORTED})


def legal(state: RunState) -> tuple[RunCommand, ...]:
    """Commands accepted in this state, in the order of RunCommand."""
    return tuple(command for command in RunCommand if command in TABLE[state])


def refusal(state: RunState, command: RunCommand) -> str | None:
    """Why this command is not accepted now, as one sentence; None when it is."""
    if command in TABLE[state]:
        return None
    now = ", ".join(legal(state)) or f"none, {state} leaves by itself"
    return f"{command} is not legal in {state}; legal now: {now}"


def after(state: RunState, command: RunCommand) -> RunState:
    """The state this command leads to. Raises StateError with the reason when it is not legal."""
    reason = refusal(state, command)
    if reason is not None:
        raise StateError(reason)
    return TABLE[state][command]
