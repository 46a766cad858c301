"""The fault library: every trouble is a small named function whose docstring says what a technician would see.

A fault function changes its scene and returns how to undo it, or None when there is nothing to undo. To add one, write
the function into the module where the trouble sits (``wire``, ``plc``, ``instruments``, ``process_wet``,
``process_dry``, ``power``) and its row into ``KINDS`` there; command line, guide, tests and random schedules then know
it.

Written form: ``NAME:PLACE[:ARGUMENT][@START[+DURATION]]``, START and DURATION in plant seconds; without START at once,
without DURATION until cleared. PLACE is a station for what befalls wires, PLCs and instruments, a machine for what
befalls machines, and ``site`` for what befalls all.
"""

from simulator.faults.board import Fault, FaultBoard, read_fault
from simulator.faults.catalogue import CATALOGUE, GROUPS, LIBRARY, listing
from simulator.faults.fitting import fitted
from simulator.faults.kind import Kind
from simulator.faults.scene import Face, FaultError, Plug, Scene, Site, Target, Undo, Wire
from simulator.faults.schedules import read_schedule

__all__ = [
    "CATALOGUE",
    "GROUPS",
    "LIBRARY",
    "Face",
    "Fault",
    "FaultBoard",
    "FaultError",
    "Kind",
    "Plug",
    "Scene",
    "Site",
    "Target",
    "Undo",
    "Wire",
    "fitted",
    "listing",
    "read_fault",
    "read_schedule",
]
