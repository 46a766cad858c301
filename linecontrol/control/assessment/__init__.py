"""Assessment: how well a loop did over a stretch of its history, and why not better. Pure arrays in, dataclasses out;
no clock, no I/O. See ``assess``; ``rank`` orders loops by what mending them is worth."""

from linecontrol.control.assessment.assessing import Assessment, Worth, assess, rank
from linecontrol.control.assessment.diagnosis import VERDICTS, Diagnosis
from linecontrol.control.assessment.harris import Harris, harris
from linecontrol.control.assessment.oscillation import Oscillation, oscillation
from linecontrol.control.assessment.series import Series, read_series
from linecontrol.control.assessment.valve import Sticking, sticking
from linecontrol.control.assessment.wear import Wear, wear

__all__ = [
    "VERDICTS",
    "Assessment",
    "Diagnosis",
    "Harris",
    "Oscillation",
    "Series",
    "Sticking",
    "Wear",
    "Worth",
    "assess",
    "harris",
    "oscillation",
    "rank",
    "read_series",
    "sticking",
    "wear",
]
