"""From a station's configuration to its link. The protocol libraries are imported only when a station needs them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Literal, cast

from linecontrol.config import LineConfig, StationConfig, parse_endpoint
from linecontrol.config.brand import WireRange
from linecontrol.core.link import Link
from linecontrol.links.plan import Point, Run
from linecontrol.links.settings import ModbusSettings, OpcuaSettings, SerialPort


def link_for(config: StationConfig) -> Link:
    """The link to this station; nothing is opened."""
    endpoint, brand = config.endpoint, config.brand
    if endpoint.protocol == "opcua":
        from linecontrol.links.opcua import OpcuaLink

        settings = OpcuaSettings(
            url=endpoint.url,
            namespace=config.namespace,
            timeout_s=brand.timeout_s,
            max_nodes_per_read=brand.max_nodes_per_read,
            reading=config.reporting.reading,
            publishing_s=config.reporting.publishing_s,
            queue_size=config.reporting.queue_size,
            security=config.access.security,
            certificate=config.access.certificate,
            private_key=config.access.private_key,
            server_certificate=config.access.server_certificate,
            username=config.access.username,
            password_file=config.access.password_file,
        )
        return OpcuaLink(settings, config.tags)
    from linecontrol.links.modbus import ModbusLink

    points = [Point(tag, table.value, register) for tag in config.tags for table, register in [config.wires[tag.name]]]
    return ModbusLink(
        ModbusSettings(
            host=endpoint.host,
            port=endpoint.port,
            framer="rtu" if endpoint.scheme == "modbus-rtu-tcp" else "tcp",
            serial=_serial(config) if endpoint.scheme == "modbus-serial" else None,
            unit=endpoint.unit,
            word_order=brand.word_order,
            byte_order=brand.byte_order,
            max_read_words=brand.max_read_words,
            max_write_words=brand.max_write_words,
            max_gap_words=brand.max_gap_words,
            timeout_s=brand.timeout_s,
            inter_frame_s=brand.inter_frame_ms / 1000.0,
            forbidden=_runs(run for run in brand.forbidden if run.access == "any"),
            write_forbidden=_runs(brand.forbidden),
            worn=_runs(brand.write_policy.wear_limited),
            ram_write_offset=brand.write_policy.ram_write_offset,
        ),
        points,
    )


async def load_libraries(stations: Iterable[StationConfig]) -> None:
    """Import the slow protocol libraries these stations need, before their scans begin."""
    if any(station.endpoint.protocol == "opcua" for station in stations):
        from linecontrol.links import opcua

        await opcua.load()


def _runs(ranges: Iterable[WireRange]) -> tuple[Run, ...]:
    return tuple(Run(found.table.value, found.first, found.last) for found in ranges)


def _serial(config: StationConfig) -> SerialPort:
    params = config.endpoint.params
    return SerialPort(
        device=config.endpoint.path,
        baud=int(params.get("baud", 19200)),
        parity=cast(Literal["N", "E", "O"], params.get("parity", "E")),
        stop_bits=cast(Literal[1, 2], int(params.get("stopbits", 1))),
        data_bits=cast(Literal[7, 8], int(params.get("bytesize", 8))),
    )


def at_endpoints(config: LineConfig, endpoints: Mapping[str, str]) -> LineConfig:
    """The same line with some stations at other endpoints (URL by station)."""
    stations = {
        name: replace(station, endpoint=parse_endpoint(endpoints[name])) if name in endpoints else station
        for name, station in config.stations.items()
    }
    return replace(config, stations=stations)


def with_time_outs(config: LineConfig, least_s: float) -> LineConfig:
    """The same line, whose requests may all take this long [real s]: for a simulated one beside other work."""
    stations = {
        name: replace(
            station, brand=station.brand.model_copy(update={"timeout_s": max(least_s, station.brand.timeout_s)})
        )
        for name, station in config.stations.items()
    }
    return replace(config, stations=stations)
