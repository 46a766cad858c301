"""Real devices for the link tests, in a process of their own: Modbus TCP, RTU over TCP and OPC UA.

Prints one line of JSON with the ports when all listen; ends when its standard input is closed, so it cannot outlive
the tests.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
import sys

from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerType
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

NAMESPACE = "urn:links:test"
REFUSED_REGISTER = 40
LAST_REGISTER = 63


def words(code: str, *values: float) -> list[int]:
    packed = struct.pack(">" + code, *values)
    return list(struct.unpack(f">{len(packed) // 2}H", packed))


HOLDING = [
    *words("Hh", 7, -123),  # 0, 1
    *words("iI", -70_000, 4_000_000_000),  # 2, 4
    *words("fd", 12.5, -0.123456789),  # 6, 8
    *words("HH", 1, 0b101),  # 12, 13
]
HOLDING += [0] * (LAST_REGISTER + 1 - len(HOLDING))


async def refuse(
    function: int, _start: int, address: int, _count: int, _now: list[int], new: list[int] | list[bool] | None
) -> ExcCodes | None:
    return ExcCodes.ILLEGAL_VALUE if new and function in (6, 16) and address == REFUSED_REGISTER else None


def modbus_device(unit: int = 1) -> SimDevice:
    bits = [False, False, True, False] * 8
    return SimDevice(
        id=unit,
        action=refuse,
        simdata=(
            [SimData(0, values=list(bits), datatype=DataType.BITS)],
            [SimData(0, values=list(bits), datatype=DataType.BITS)],
            [SimData(0, values=list(HOLDING), datatype=DataType.UINT16)],
            [SimData(0, values=[99] * 8, datatype=DataType.UINT16)],
        ),
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def opcua_server(port: int):  # type: ignore[no-untyped-def]
    from asyncua import Server, ua, uamethod

    from simulator.opcua_mends import fill

    logging.disable(logging.CRITICAL)
    kinds = ua.VariantType
    server = Server()
    await fill(server)
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/")
    await server.register_namespace("urn:something:else")
    index = await server.register_namespace(NAMESPACE)
    plc = await server.nodes.objects.add_object(ua.NodeId("Plc", index), "Plc")

    async def variable(name: str, value: object, kind: ua.VariantType, writable: bool = False):  # type: ignore[no-untyped-def]
        node = await plc.add_variable(ua.NodeId(f"Plc.{name}", index), name, value, kind)
        if writable:
            await node.set_writable()
        return node

    readable = (
        ("u16", 7, kinds.UInt16),
        ("i16", -123, kinds.Int16),
        ("i32", -70_000, kinds.Int32),
        ("u32", 4_000_000_000, kinds.UInt32),
        ("f32", 12.5, kinds.Float),
        ("f64", -0.123456789, kinds.Double),
        ("flag", True, kinds.Boolean),
        ("refuses", 0, kinds.UInt16),
        ("nan", float("nan"), kinds.Double),
        ("text", "kudzu", kinds.String),
    )
    for name, value, kind in readable:
        await variable(name, value, kind)
    writable = (("w_u16", kinds.UInt16), ("w_i16", kinds.Int16), ("w_i32", kinds.Int32), ("w_u32", kinds.UInt32))
    for name, kind in writable:
        await variable(name, 0, kind, writable=True)
    for name, kind in (("w_f32", kinds.Float), ("w_f64", kinds.Double)):
        await variable(name, 0.0, kind, writable=True)
    await variable("w_flag", False, kinds.Boolean, writable=True)
    await plc.add_variable(ua.NodeId(42, index), "numbered", 42.0, kinds.Double)
    running = await variable("running", False, kinds.Boolean)
    status = await variable("status", 1.0, kinds.Double)
    changing = await variable("changing", 1.0, kinds.Double, writable=True)

    @uamethod
    async def start(_parent: object) -> None:
        await running.write_value(ua.DataValue(ua.Variant(True, kinds.Boolean)))

    @uamethod
    async def stop(_parent: object) -> None:
        await running.write_value(ua.DataValue(ua.Variant(False, kinds.Boolean)))

    @uamethod
    async def forbid(_parent: object) -> ua.StatusCode:
        return ua.StatusCode(ua.StatusCodes.BadUserAccessDenied)

    @uamethod
    async def set_status(_parent: object, code: int) -> None:
        value = None if code >> 30 >= 2 else 1.0
        await status.write_value(
            ua.DataValue(ua.Variant(value, kinds.Double if value else kinds.Null), ua.StatusCode(code))
        )

    @uamethod
    async def become_text(_parent: object) -> None:
        node_id = changing.nodeid
        await server.delete_nodes([changing])
        await plc.add_variable(node_id, "changing", "now a text", kinds.String)

    methods = (("Start", start, []), ("Stop", stop, []), ("Forbid", forbid, []), ("BecomeText", become_text, []))
    for name, method, inputs in (*methods, ("SetStatus", set_status, [kinds.UInt32])):
        await plc.add_method(ua.NodeId(f"Plc.{name}", index), name, method, inputs)
    await server.start()
    return server


async def main() -> None:
    tcp = ModbusTcpServer(modbus_device(), address=("127.0.0.1", free_port()))
    rtu = ModbusTcpServer(modbus_device(), framer=FramerType.RTU, address=("127.0.0.1", free_port()))
    await tcp.serve_forever(background=True)
    await rtu.serve_forever(background=True)
    ports = {name: server.transport.sockets[0].getsockname()[1] for name, server in (("tcp", tcp), ("rtu", rtu))}
    opcua = None
    if "--no-opcua" not in sys.argv:
        ports["opcua"] = free_port()
        opcua = await opcua_server(ports["opcua"])
    print(json.dumps(ports), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    if opcua is not None:
        await opcua.stop()
    await tcp.shutdown()
    await rtu.shutdown()


if __name__ == "__main__":
    asyncio.run(main())
