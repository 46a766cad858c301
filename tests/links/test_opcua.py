"""What is special to the OPC UA link: nodes, types, methods, status codes, the secure channel's token."""

from __future__ import annotations

import asyncio
import inspect
import logging
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncua.ua.uaerrors
import pytest
from asyncua import ua
from link_bench import PATIENCE_S, TIMEOUT_S, Cable, open_files, quiet_loop, tag
from link_server import NAMESPACE

from linecontrol.core.errors import ConfigError, DeviceRefused, LinkDown, LinkError, LinkTimeout
from linecontrol.core.model import Status
from linecontrol.links.nodes import cast, identifier, unix_seconds
from linecontrol.links.opcua import OpcuaLink, mapped
from linecontrol.links.settings import OpcuaSettings

LOST = ("BadSessionIdInvalid", "BadSecureChannelClosed", "BadConnectionClosed", "BadTcpInternalError", "BadShutdown")


def test_every_asyncua_error_is_mapped() -> None:
    kinds = [k for _, k in inspect.getmembers(asyncua.ua.uaerrors, inspect.isclass) if issubclass(k, Exception)]
    assert len(kinds) > 200
    for kind in kinds:
        arguments = {"UaStatusCodeError": (0x80010000,), "UaStatusCodeErrors": ([0x80010000],)}
        error = kind(*arguments.get(kind.__name__, ()))
        ours = mapped(error, "here")
        assert isinstance(ours, LinkDown | LinkTimeout | DeviceRefused), kind
        assert str(ours).startswith("here: ")
        if kind.__name__ in LOST:
            assert type(ours) is LinkDown
    assert type(mapped(asyncua.ua.uaerrors.BadTimeout(), "here")) is LinkTimeout
    assert isinstance(mapped(asyncua.ua.uaerrors.BadUserAccessDenied(), "here"), DeviceRefused)
    assert type(mapped(struct.error("nonsense"), "here")) is LinkDown
    assert type(mapped(ConnectionError("gone"), "here")) is LinkDown


def test_asyncua_is_not_imported_before_it_is_needed() -> None:
    check = "import sys, linecontrol.links.opcua; sys.exit('asyncua' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


@pytest.mark.parametrize(
    ("address", "found"), [("s=Plc.XI-300", "Plc.XI-300"), ('s="DB"."Moist"', '"DB"."Moist"'), ("i=42", 42)]
)
def test_addresses(address: str, found: str | int) -> None:
    assert identifier(address) == found


@pytest.mark.parametrize("address", ["ns=3;s=Plc.X", "s=", "i=-1", "i=x", "i=4294967296", "Plc.X", "", "g=1"])
def test_addresses_that_are_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="accepted: s=<text> or i=<number>"):
        OpcuaLink(OpcuaSettings("opc.tcp://127.0.0.1:1/", NAMESPACE), [tag("T", "bool", address)])


def test_time_stamps() -> None:
    assert unix_seconds(datetime(2026, 11, 22, tzinfo=UTC)) == 1795305600.0
    assert unix_seconds(datetime(2026, 11, 22)) == 1795305600.0  # noqa: DTZ001  # the library's older way: UTC unsaid
    assert unix_seconds(None) is None
    assert unix_seconds(datetime(1601, 1, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("raw", "kind"), [(1.5, "Boolean"), (True, "Double"), (300, "Byte"), (-1, "UInt64"), (1e39, "Float"), (1, "String")]
)
def test_values_a_node_cannot_hold(raw: Any, kind: str) -> None:
    with pytest.raises(LinkError, match=f"the server's node is a {kind}"):
        cast(tag("T", "float64"), raw, raw, kind)


@pytest.fixture
async def cable(device_ports: dict[str, int]) -> AsyncIterator[Cable]:
    async with quiet_loop():
        made = Cable(device_ports["opcua"])
        await made.plug()
        yield made
        await made.unplug()


def link_to(cable: Cable, *rows: tuple[str, str, str], **settings: Any) -> OpcuaLink:
    tags = [tag(name, kind, address, writable=True) for name, kind, address in rows]
    settings = {"namespace": NAMESPACE, "timeout_s": TIMEOUT_S, **settings}
    return OpcuaLink(OpcuaSettings(f"opc.tcp://127.0.0.1:{cable.port}/", **settings), tags)


def caller(name: str, method: str, off: str = "") -> Any:
    return tag(name, "bool", "s=Plc.running", writable=True, methods=(method, off or method))


async def test_source_time_and_quality_come_from_the_server(cable: Cable) -> None:
    link = link_to(cable, ("f64", "float64", "s=Plc.f64"), ("nan", "float64", "s=Plc.nan"), ("n", "float64", "i=42"))
    await link.open()
    readings = await link.read()
    stamp = readings["f64"].source_time
    assert stamp is not None
    assert 0 <= time.time() - stamp < 3600
    assert readings["nan"][:2] == (None, Status.BAD_SENSOR_FAILURE)
    assert readings["n"][:2] == (42.0, Status.GOOD)
    assert (await link.read())["f64"].source_time == stamp, "a value that did not change is not made younger"
    await link.close()


async def test_a_node_of_another_kind_is_bad_and_the_rest_good(cable: Cable) -> None:
    rows = [("f64", "float64", "s=Plc.f64"), ("text", "float64", "s=Plc.text"), ("flag", "uint16", "s=Plc.flag")]
    rows += [("whole", "int32", "s=Plc.f64"), ("truth", "bool", "s=Plc.u16"), ("kudzu", "string", "s=Plc.text")]
    link = link_to(cable, *rows, ("gone", "float64", "s=Plc.gone"))
    await link.open()
    readings = await link.read()
    for name in ("text", "flag", "whole", "truth"):
        assert readings[name][:2] == (None, Status.BAD_TYPE_MISMATCH), name
    assert readings["f64"].status is Status.GOOD
    assert readings["kudzu"][:2] == ("kudzu", Status.GOOD)
    assert readings["gone"] == (None, Status.BAD_NODE_ID_UNKNOWN, None)
    with pytest.raises(LinkError, match="gone"):
        await link.write("gone", 1.0)
    with pytest.raises(LinkError, match="is a String"):
        await link.write("text", 1.0)
    await link.close()


async def test_methods_start_and_stop(cable: Cable) -> None:
    settings = OpcuaSettings(f"opc.tcp://127.0.0.1:{cable.port}/", NAMESPACE, timeout_s=TIMEOUT_S)
    tags = [
        caller("run", "s=Plc.Start", "s=Plc.Stop"),
        caller("forbidden", "s=Plc.Forbid"),
        caller("lost", "s=Plc.Lost"),
    ]
    link = OpcuaLink(settings, tags)
    await link.open()
    for on in (True, False, True, False):
        await link.write("run", on)
        assert (await link.read(["run"]))["run"].value is on
    with pytest.raises(DeviceRefused, match="BadUserAccessDenied"):
        await link.write("forbidden", True)
    with pytest.raises(LinkError, match=r"no method s=Plc.Lost"):
        await link.write("lost", True)
    with pytest.raises(LinkError, match="accepted: true or false"):
        await link.write("run", 7)
    assert (await link.read(["run"]))["run"].status is Status.GOOD
    await link.close()


async def call(cable: Cable, method: str, *inputs: ua.Variant) -> None:
    from asyncua import Client

    async with Client(f"opc.tcp://127.0.0.1:{cable.port}/") as client:
        index = await client.get_namespace_index(NAMESPACE)
        await client.get_node(ua.NodeId("Plc", index)).call_method(ua.NodeId(f"Plc.{method}", index), *inputs)


@pytest.mark.parametrize(
    ("code", "value", "status"),
    [
        (0x00000000, 1.0, Status.GOOD),
        (0x00960000, 1.0, Status.GOOD_LOCAL_OVERRIDE),
        (0x00A60000, 1.0, Status.GOOD),  # Good_ResultsMayBeIncomplete-like: a Good we have no name for
        (0x40900000, 1.0, Status.UNCERTAIN_LAST_USABLE_VALUE),
        (0x40930000, 1.0, Status.UNCERTAIN_SENSOR_NOT_ACCURATE),
        (0x408F0000, 1.0, Status.UNCERTAIN),
        (0x808C0000, None, Status.BAD_SENSOR_FAILURE),
        (0x808D0400, None, Status.BAD_OUT_OF_SERVICE),
        (0x80AB0000, None, Status.BAD),
    ],
)
async def test_status_codes_are_kept(cable: Cable, code: int, value: float | None, status: Status) -> None:
    link = link_to(cable, ("status", "float64", "s=Plc.status"), ("f64", "float64", "s=Plc.f64"))
    await link.open()
    await call(cable, "SetStatus", ua.Variant(code, ua.VariantType.UInt32))
    readings = await link.read()
    assert readings["status"][:2] == (value, status)
    assert readings["f64"].status is Status.GOOD
    await link.close()


async def test_a_node_that_becomes_a_text_is_bad_from_then_on(cable: Cable) -> None:
    link = link_to(cable, ("changing", "float64", "s=Plc.changing"), ("f64", "float64", "s=Plc.f64"))
    await link.open()
    assert (await link.read())["changing"].value == 1.0
    await call(cable, "BecomeText")
    readings = await link.read()
    assert readings["changing"][:2] == (None, Status.BAD_TYPE_MISMATCH)
    assert readings["f64"].status is Status.GOOD
    await link.close()


async def test_a_missing_namespace_is_told_with_those_there(cable: Cable) -> None:
    link = link_to(cable, ("f64", "float64", "s=Plc.f64"), namespace="urn:not:there")
    with pytest.raises(DeviceRefused, match=r"no namespace 'urn:not:there' \(there: .*urn:links:test"):
        await link.open()
    with pytest.raises(LinkDown):
        await link.read()


async def test_the_security_token_is_renewed_in_time(cable: Cable) -> None:
    link = link_to(cable, ("f64", "float64", "s=Plc.f64"), channel_lifetime_s=1.0)
    await link.open()
    assert len(asyncio.all_tasks()) == 1, "nothing runs in the background"
    channel = link._session.client.uaclient.protocol._connection  # type: ignore[union-attr]
    first = channel.security_token.TokenId
    loop = asyncio.get_running_loop()
    end = loop.time() + 2.2
    while loop.time() < end:
        assert (await link.read())["f64"].status is Status.GOOD
        await asyncio.sleep(0.05)
    assert channel.security_token.TokenId >= first + 2
    assert link.counters.connects == 1
    await link.close()


async def test_a_server_that_is_down_is_not_a_flood_in_the_log(cable: Cable, caplog: pytest.LogCaptureFixture) -> None:
    link = link_to(cable, ("f64", "float64", "s=Plc.f64"))
    await link.open()
    caplog.clear()
    with caplog.at_level(logging.INFO):
        await cable.unplug(reset=True)
        for _ in range(10):
            with pytest.raises(LinkDown):
                await link.read()
            with pytest.raises(LinkDown):
                await link.open()
    assert [r for r in caplog.records if r.name.startswith("asyncua")] == []


GARBAGE = {
    "noise": b"\x17" * 400,
    "web server": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    "empty message": b"MSGF\x08\x00\x00\x00",
    "size 0": b"MSGF\x00\x00\x00\x00" * 8,
    "size 4 GB": b"MSGF\xff\xff\xff\xff" + bytes(100),
    "error message": b"ERRF\x14\x00\x00\x00" + struct.pack("<I", 0x80080000) + b"\xff\xff\xff\xff\0\0\0\0",
    "acknowledge": b"ACKF\x1c\x00\x00\x00" + struct.pack("<5I", 0, 65535, 65535, 0, 0),
    "wrong channel": b"MSGF\x40\x00\x00\x00" + bytes(56),
}


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("answers", [0, 1])
async def test_a_server_that_talks_nonsense(cable: Cable, garbage: str, answers: int) -> None:
    """Nonsense in place of the first or a later answer while opening, and then while reading."""
    seen = 0
    transports: list[Any] = []

    class Liar(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport: Any = transport
            transports.append(transport)

        def data_received(self, data: bytes) -> None:
            nonlocal seen
            seen += 1
            hello = GARBAGE["acknowledge"]
            self.transport.write(hello if seen <= answers else GARBAGE[garbage])

    server = await asyncio.get_running_loop().create_server(Liar, "127.0.0.1", 0)
    link = link_to(cable, ("f64", "float64", "s=Plc.f64"))
    bad = OpcuaLink(OpcuaSettings(f"opc.tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}/", NAMESPACE, 0.1), [])
    files = open_files()
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(LinkError):
            await bad.open()
    await link.open()
    protocol = link._session.client.uaclient.protocol  # type: ignore[union-attr]
    assert protocol is not None
    reading = asyncio.create_task(link.read())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    protocol.data_received(GARBAGE[garbage])
    try:
        readings = await reading
    except LinkError:
        pass
    else:
        assert readings["f64"].value == -0.123456789
    await link.close()
    await bad.close()
    server.close()
    for transport in transports:
        transport.abort()
    await server.wait_closed()
    await asyncio.sleep(0.02)
    assert open_files() <= files
