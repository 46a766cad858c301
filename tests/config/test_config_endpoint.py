"""Endpoint URLs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linecontrol.config.endpoint import FORMS, EndpointError, parse_endpoint


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("modbus-tcp://127.0.0.1:15020?unit=1", ("modbus-tcp", "127.0.0.1", 15020, 1, "", {})),
        ("modbus-tcp://plc-1.local?unit=255", ("modbus-tcp", "plc-1.local", 502, 255, "", {})),
        ("modbus-tcp://plc:502/?unit=0", ("modbus-tcp", "plc", 502, 0, "/", {})),
        ("modbus-tcp://[::1]:502?unit=3", ("modbus-tcp", "::1", 502, 3, "", {})),
        ("modbus-rtu-tcp://10.0.0.7:4001?unit=247", ("modbus-rtu-tcp", "10.0.0.7", 4001, 247, "", {})),
        (
            "modbus-serial:///dev/ttyUSB0?unit=2&baud=19200&parity=E&stopbits=1",
            ("modbus-serial", "", 0, 2, "/dev/ttyUSB0", {"baud": "19200", "parity": "E", "stopbits": "1"}),
        ),
        ("modbus-serial://COM3?unit=1", ("modbus-serial", "", 0, 1, "COM3", {})),
        ("opc.tcp://127.0.0.1:14840/drying", ("opc.tcp", "127.0.0.1", 14840, 0, "/drying", {})),
        ("opc.tcp://plc", ("opc.tcp", "plc", 4840, 0, "", {})),
    ],
)
def test_endpoints(url: str, expected: tuple[object, ...]) -> None:
    end = parse_endpoint(url)
    assert (end.scheme, end.host, end.port, end.unit, end.path, dict(end.params)) == expected
    assert end.url == url
    assert end.protocol == ("opcua" if url.startswith("opc") else "modbus")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:502",
        "file:///etc/passwd",
        "http://127.0.0.1",
        "tcp://127.0.0.1:502",
        "modbus-tcp://169.254.169.254:502?unit=1",
        "modbus-tcp://0.0.0.0:502?unit=1",
        "modbus-tcp://224.0.0.1:502?unit=1",
        "modbus-tcp://[fe80::1]:502?unit=1",
        "opc.tcp://169.254.1.1:4840",
        "modbus-tcp://127.0.0.1:502",
        "modbus-tcp://127.0.0.1:0?unit=1",
        "modbus-tcp://127.0.0.1:65536?unit=1",
        "modbus-tcp://127.0.0.1:x?unit=1",
        "modbus-tcp://127.0.0.1?unit=248",
        "modbus-tcp://127.0.0.1?unit=-1",
        "modbus-tcp://127.0.0.1?unit=1&unit=2",
        "modbus-tcp://127.0.0.1?unit=1&other=2",
        "modbus-tcp://127.0.0.1/path?unit=1",
        "modbus-tcp://?unit=1",
        "modbus-tcp://me:secret@127.0.0.1?unit=1",
        "modbus-tcp://127.0.0.1?unit=1#x",
        "modbus-tcp://a b?unit=1",
        "modbus-tcp://-x?unit=1",
        "modbus-rtu-tcp://127.0.0.1?unit=0",
        "modbus-rtu-tcp://127.0.0.1?unit=255",
        "modbus-serial:///dev/../etc/x?unit=1",
        "modbus-serial:///dev/ttyUSB0?unit=1&parity=X",
        "modbus-serial:///dev/ttyUSB0?unit=1&baud=0",
        "modbus-serial://?unit=1",
        "opc.tcp://127.0.0.1:4840/x?security=None",
        "opc.tcp://[::1/x",
        "opc.tcp://plc/<script>",
    ],
)
def test_endpoints_that_are_not_accepted(url: str) -> None:
    with pytest.raises(EndpointError) as caught:
        parse_endpoint(url)
    assert caught.value.accepted


@settings(deadline=None)
@given(st.sampled_from([*FORMS, "http", ""]), st.text(max_size=40))
def test_any_text_is_an_endpoint_or_refused(scheme: str, rest: str) -> None:
    try:
        end = parse_endpoint(f"{scheme}://{rest}")
    except EndpointError:
        return
    assert end.scheme == scheme
    assert end.host or end.path


def test_the_same_socket_is_known_under_two_names() -> None:
    one = parse_endpoint("modbus-tcp://localhost:502?unit=1")
    two = parse_endpoint("modbus-tcp://127.0.0.1/?unit=1")
    assert one.wire == two.wire
    assert parse_endpoint("opc.tcp://a/x").wire != parse_endpoint("opc.tcp://a/y").wire
