"""Figures for Prometheus: links, scans, historian accounting. Collected when asked for; they cost nothing between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line


def _collect(line: Line) -> Iterator[Metric]:
    up = GaugeMetricFamily("linecontrol_station_up", "1 while the device answers", labels=["station"])
    scans = CounterMetricFamily("linecontrol_scans", "scans answered", labels=["station"])
    missed = CounterMetricFamily("linecontrol_scans_missed", "scan ticks skipped", labels=["station"])
    requests = CounterMetricFamily("linecontrol_link_events", "what happened on the wire", labels=["station", "what"])
    for name, station in line.stations.items():
        up.add_metric([name], float(station.is_up))
        scans.add_metric([name], station.scans)
        missed.add_metric([name], station.missed)
        counters = station.link.counters
        for what, count in asdict(counters).items():
            requests.add_metric([name, what], count)
    yield from (up, scans, missed, requests)
    rows = CounterMetricFamily(
        "linecontrol_history_rows",
        "accepted = stored + spooled + quarantined + dropped + pending",
        labels=["what"],
    )
    for what, count in line.accounting().items():
        rows.add_metric([what], count)
    yield rows
    yield GaugeMetricFamily("linecontrol_control_cycles", "control cycles since the start", value=line.cycle.count)


def figures(line: Line) -> list[Metric]:
    """The figures as they are now; to be called in the line's loop."""
    return list(_collect(line))


class _Found(Collector):
    def __init__(self, found: Iterable[Metric]) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        return self._found


def exposition(found: Iterable[Metric]) -> bytes:
    """The text Prometheus scrapes."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Found(found))
    return generate_latest(registry)
