"""Alarms after ANSI/ISA-18.2 (IEC 62682): rows are data, states one table, everything pure."""

from linecontrol.guard.alarms.alarm import Alarm, Comment
from linecontrol.guard.alarms.kpis import Came, Flood, Kpis
from linecontrol.guard.alarms.model import AlarmRow, EventRow, Kind, Needs, Priority
from linecontrol.guard.alarms.nuisance import Nuisance
from linecontrol.guard.alarms.states import IN_VIEW, STANDING, UNACKNOWLEDGED, AlarmState, Signal
from linecontrol.guard.alarms.system import PROPOSALS, AlarmSystem, Change

__all__ = [
    "IN_VIEW",
    "PROPOSALS",
    "STANDING",
    "UNACKNOWLEDGED",
    "Alarm",
    "AlarmRow",
    "AlarmState",
    "AlarmSystem",
    "Came",
    "Change",
    "Comment",
    "EventRow",
    "Flood",
    "Kind",
    "Kpis",
    "Needs",
    "Nuisance",
    "Priority",
    "Signal",
]
