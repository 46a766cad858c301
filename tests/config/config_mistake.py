"""What a mistake of the corpus is, and the files it is made in."""

from __future__ import annotations

from dataclasses import dataclass

SCREENING = "stations/screening.yaml"
GRINDING = "stations/grinding.yaml"
DRYING = "stations/drying.yaml"
DEMO = "lines/demo.yaml"
DVP = "brands/delta-dvp.yaml"
M221 = "brands/schneider-m221.yaml"
EUROTHERM = "brands/eurotherm-3200.yaml"
GENERIC_UA = "brands/generic-opcua.yaml"
ELW = "brands/delta-vfd-el-w.yaml"
GENERIC = "brands/generic-modbus.yaml"
MS300 = "brands/delta-ms300.yaml"


@dataclass(frozen=True)
class Bad:
    """One mistake: in ``file``, ``old`` becomes ``new``; the problem is told at ``key``, on the line of ``at``.

    Attributes:
        at: text on the line where the problem is expected; default: the line where the change begins.
        said: words of the message or of what is accepted.
    """

    file: str
    old: str
    new: str
    key: str
    said: str = ""
    at: str = ""
