"""Tuning: from a recorded test to a model with its doubt, from that to gains a person can judge. Pure arrays in,
dataclasses out; no clock, no I/O. See ``identification``, ``relay``, ``tuner`` for what each does."""

from linecontrol.control.forms import IsaGains
from linecontrol.control.tuning.closed_loop import load_iae, load_response, noise_gain, setpoint_response
from linecontrol.control.tuning.doubt import Interval
from linecontrol.control.tuning.identification import Identified, identify, moved_between_rows
from linecontrol.control.tuning.models import Moves, Plant, Process, first_order_of, half_rule, response, step_response
from linecontrol.control.tuning.notation import Notation, from_codesys, notations
from linecontrol.control.tuning.optimum import Limits, best_gains
from linecontrol.control.tuning.record import Refusal
from linecontrol.control.tuning.relay import Phase, RelaySettings, RelayState, identify_relay
from linecontrol.control.tuning.robustness import Margins, margins, worst_margins
from linecontrol.control.tuning.rules import RULES, Rule
from linecontrol.control.tuning.tuner import Band, Candidate, Tuning, judged, predict_load, predict_setpoint, tune

__all__ = [
    "RULES",
    "Band",
    "Candidate",
    "Identified",
    "Interval",
    "IsaGains",
    "Limits",
    "Margins",
    "Moves",
    "Notation",
    "Phase",
    "Plant",
    "Process",
    "Refusal",
    "RelaySettings",
    "RelayState",
    "Rule",
    "Tuning",
    "best_gains",
    "first_order_of",
    "from_codesys",
    "half_rule",
    "identify",
    "identify_relay",
    "judged",
    "load_iae",
    "load_response",
    "margins",
    "moved_between_rows",
    "noise_gain",
    "notations",
    "predict_load",
    "predict_setpoint",
    "response",
    "setpoint_response",
    "step_response",
    "tune",
    "worst_margins",
]
