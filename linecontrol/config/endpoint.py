"""Endpoint URLs of stations. Pure: nothing is looked up or opened."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a station answers.

    Attributes:
        scheme: modbus-tcp, modbus-rtu-tcp, modbus-serial or opc.tcp.
        host, port: empty and 0 for a serial line.
        unit: Modbus unit, 1..247; for modbus-tcp also 0 and 255, as many devices call themselves. 0 for OPC UA.
        path: path of an OPC UA server, or the serial device.
        params: further parameters as written: baud, parity, bytesize, stopbits.
    """

    url: str
    scheme: str
    host: str
    port: int
    unit: int
    path: str
    params: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def protocol(self) -> str:
        return "opcua" if self.scheme == "opc.tcp" else "modbus"

    @property
    def wire(self) -> tuple[str, int, str]:
        """What two stations on the same socket or serial line have in common."""
        host = "127.0.0.1" if self.host in ("localhost", "::1") else self.host
        return host, self.port, "" if self.scheme in ("modbus-tcp", "modbus-rtu-tcp") else self.path


class EndpointError(ValueError):
    """An endpoint that is not accepted; ``accepted`` says what would be."""

    def __init__(self, message: str, accepted: str) -> None:
        super().__init__(message)
        self.accepted = accepted


FORMS = {
    "modbus-tcp": "modbus-tcp://HOST:PORT?unit=1",
    "modbus-rtu-tcp": "modbus-rtu-tcp://HOST:PORT?unit=1",
    "modbus-serial": "modbus-serial:///dev/ttyUSB0?unit=1&baud=19200&parity=E",
    "opc.tcp": "opc.tcp://HOST:PORT/PATH",
}
_PARAMS: dict[str, dict[str, str]] = {
    "modbus-tcp": {"unit": r"[0-9]{1,3}"},
    "modbus-rtu-tcp": {"unit": r"[0-9]{1,3}"},
    "modbus-serial": {
        "unit": r"[0-9]{1,3}",
        "baud": r"[1-9][0-9]{2,6}",
        "parity": r"[NEO]",
        "bytesize": r"[78]",
        "stopbits": r"[12]",
    },
    "opc.tcp": {},
}
_PORTS = {"modbus-tcp": 502, "modbus-rtu-tcp": 502, "opc.tcp": 4840, "modbus-serial": 0}
_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63}){0,8}")
_DEVICE = re.compile(r"(?:/[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}){1,8}|COM[0-9]{1,3}")
_PATH = re.compile(r"[A-Za-z0-9/_.~:%+-]{0,200}")


def parse_endpoint(url: str) -> Endpoint:
    """Read an endpoint URL. Raises EndpointError."""
    scheme, mark, rest = url.partition("://")
    if not mark or scheme not in FORMS or not url.isascii() or not url.isprintable() or " " in url:
        raise EndpointError(f"the endpoint {url[:60]!r} is not accepted", "; ".join(FORMS.values()))
    form = FORMS[scheme]
    try:
        parts = urlsplit(f"//{rest}")
        port = parts.port
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError as error:
        raise EndpointError(f"the endpoint is not a URL: {error}", form) from error
    if "@" in parts.netloc or parts.fragment:
        raise EndpointError("an endpoint holds no user, password or fragment", form)
    params = _params(scheme, pairs)
    unit = 0 if scheme == "opc.tcp" else _unit(scheme, params.pop("unit", None))
    frozen = MappingProxyType(params)
    if scheme == "modbus-serial":
        device = parts.netloc + parts.path
        if not _DEVICE.fullmatch(device):
            raise EndpointError(f"{device[:40]!r} is not a serial device", form)
        return Endpoint(url, scheme, "", 0, unit, device, frozen)
    if scheme != "opc.tcp" and parts.path not in ("", "/"):
        raise EndpointError("a Modbus endpoint has no path", form)
    if not _PATH.fullmatch(parts.path):
        raise EndpointError("the path is not accepted", form)
    port = _PORTS[scheme] if port is None else port
    if port == 0:
        raise EndpointError("port 0 is not accepted", "1..65535")
    return Endpoint(url, scheme, _host(parts.hostname or "", form), port, unit, parts.path, frozen)


def _params(scheme: str, pairs: list[tuple[str, str]]) -> dict[str, str]:
    known = _PARAMS[scheme]
    params: dict[str, str] = {}
    for name, value in pairs:
        if name not in known or name in params or not re.fullmatch(known[name], value):
            raise EndpointError(f"the parameter {name[:20]}={value[:20]} is not accepted", FORMS[scheme])
        params[name] = value
    return params


def _unit(scheme: str, text: str | None) -> int:
    accepted = "unit=0..247 or 255" if scheme == "modbus-tcp" else "unit=1..247"
    if text is None:
        raise EndpointError("the Modbus unit is missing", accepted)
    unit = int(text)
    if not (1 <= unit <= 247 or (unit in (0, 255) and scheme == "modbus-tcp")):
        raise EndpointError(f"unit {unit} is not accepted", accepted)
    return unit


def _host(host: str, form: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if not _HOST.fullmatch(host):
            raise EndpointError(f"{host[:40]!r} is not a host", form) from None
        return host
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        raise EndpointError(f"the address {host} is not one a PLC has", "a host name or a routable or private address")
    return host
