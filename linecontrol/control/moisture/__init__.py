"""Powder moisture: a controller commissioned from a record, with its soft sensor and the watch over its meter.

``MoistureController.commission(record)``, then ``step(sample, dt_s)`` each scan. Pure: no clock, no I/O but a CSV file.
"""

from linecontrol.control.moisture.commission import commission
from linecontrol.control.moisture.controller import MoistureController
from linecontrol.control.moisture.foresight import foretell
from linecontrol.control.moisture.model import DryerModel
from linecontrol.control.moisture.record import CannotCommission, MoistureRecord, read_record
from linecontrol.control.moisture.sample import MoistureMode, MoistureOutput, MoistureSample, MoistureSettings

__all__ = [
    "CannotCommission",
    "DryerModel",
    "MoistureController",
    "MoistureMode",
    "MoistureOutput",
    "MoistureRecord",
    "MoistureSample",
    "MoistureSettings",
    "commission",
    "foretell",
    "read_record",
]
