"""Whether the controller reads an OPC UA station at every scan, or lets its server report what changes. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from linecontrol.config.document import Document, Loc
from linecontrol.config.line import REPORTING_KEYS, Settings
from linecontrol.core.errors import Problem

_USUAL_S, _LEAST_S = 0.5, 0.05


@dataclass(frozen=True, slots=True)
class Reporting:
    """How values come from the server.

    Attributes:
        reading: ``scan`` asks for all at every scan; ``subscribe`` takes what the server reports.
        publishing_s: between two reports [s, real time]. queue_size: changes of one node kept for a report.
    """

    reading: Literal["scan", "subscribe"] = "scan"
    publishing_s: float = _USUAL_S
    queue_size: int = 20


def reporting_of(settings: Settings, scan_s: float) -> Reporting:
    """What is not given: two reports in a scan, but none sooner than 0.05 s or later than 0.5 s; a queue of 20."""
    usual_s = min(max(scan_s / 2, _LEAST_S), _USUAL_S)
    return Reporting(settings.reading or "scan", settings.publishing_s or usual_s, settings.queue_size or 20)


def reporting_problems(doc: Document, loc: Loc, settings: Settings, scan_s: float | None) -> Iterator[Problem]:
    """Reporting settings that do not go together; ``loc`` is that of the settings."""
    for key in REPORTING_KEYS[1:]:
        if getattr(settings, key) is not None and settings.reading != "subscribe":
            yield doc.problem((*loc, key), "has no meaning unless the server reports", "reading: subscribe")
    if settings.publishing_s is not None and scan_s is not None and settings.publishing_s > scan_s:
        message = f"{settings.publishing_s:g} s is longer than the scan period of {scan_s:g} s"
        yield doc.problem((*loc, "publishing_s"), message, f"{_LEAST_S:g}..{min(scan_s, 10.0):g}")
