"""Interlocks and permissives: conditions that refuse commands, a start, or that hold, stop or divert a run; pure.

Each says at any time, in both languages, what its condition is, what is measured, where the limit lies and what clears
it. It is not a safety system: hard interlocks live in the PLC and in hardware.
"""

from linecontrol.guard.interlocks.interlock import Act, Bypass, Interlock, Needs, Refuses
from linecontrol.guard.interlocks.system import Change, InterlockSystem, Standing
from linecontrol.guard.interlocks.words import refusal_text, sentence

__all__ = [
    "Act",
    "Bypass",
    "Change",
    "Interlock",
    "InterlockSystem",
    "Needs",
    "Refuses",
    "Standing",
    "refusal_text",
    "sentence",
]
