"""Foreign clients read our simulator; our controller drives a foreign simulator that only shares the map."""

import asyncio
import contextlib
import shutil
import struct
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from asyncua import Client, Server, ua
from line_rig import demo_at, driven, simulator, until
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from linecontrol.config import LineConfig, parse_endpoint, read_line
from linecontrol.core.model import Command


def port_of(url: str) -> int:
    return parse_endpoint(url).port


@pytest.mark.skipif(shutil.which("mbpoll") is None, reason="mbpoll (a libmodbus client) is not installed")
async def test_a_libmodbus_client_reads_and_writes_the_simulator() -> None:
    async with simulator(1.0) as sim:
        port = str(port_of(sim.endpoints["screening"]))

        async def mbpoll(*words: str) -> str:
            before, value = (words[:-1], words[-1:]) if "=" in words[-1] else (words, ())
            process = await asyncio.create_subprocess_exec(
                "mbpoll", "-m", "tcp", "-p", port, "-a", "1", "-0", "-1", *before, "127.0.0.1",
                *(word.removeprefix("=") for word in value),
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            out, _ = await process.communicate()
            return out.decode()

        assert "1234.5" in await mbpoll("-t", "4:float", "-B", "-r", "2", "-c", "1")
        assert "Written 1 references" in await mbpoll("-t", "4", "-r", "107", "=120")
        assert "[107]: \t120" in await mbpoll("-t", "4", "-r", "107", "-c", "1")
        assert "Illegal data address" in await mbpoll("-t", "4", "-r", "5000", "-c", "1")


async def test_bare_clients_read_sensible_values() -> None:
    async with simulator(1.0) as sim:
        modbus = AsyncModbusTcpClient("127.0.0.1", port=port_of(sim.endpoints["grinding"]))
        assert await modbus.connect()
        try:
            answer = await modbus.read_holding_registers(0x1000 + 2, count=2, device_id=1)
            low, high = answer.registers
            assert struct.unpack(">f", struct.pack(">HH", high, low)) == (1234.5,)
        finally:
            modbus.close()
        async with Client(sim.endpoints["drying"]) as client:
            index = await client.get_namespace_index("urn:linecontrol:drying")
            node = client.get_node(ua.NodeId("Fan.TT-309", index))
            value = await node.read_data_value()
            assert value.StatusCode is not None
            assert value.StatusCode.is_good()
            assert 0.0 < float(await node.read_value()) < 40.0
            browsed = {(await child.read_browse_name()).Name for child in await client.nodes.objects.get_children()}
            assert {"Plc", "Feeder", "Heater", "Dryer", "Fan", "Packing"} <= await _names_below(client) | browsed


async def _names_below(client: Client) -> set[str]:
    found: set[str] = set()
    for child in await client.nodes.objects.get_children():
        found |= {(await leaf.read_browse_name()).Name for leaf in await child.get_children()}
    return found


class ForeignPlc:
    """Registers of somebody else's making: pymodbus and asyncua servers with our map and a clock of their own."""

    def __init__(self, config: LineConfig) -> None:
        self._config = config
        self._sequence = 0
        self.endpoints: dict[str, str] = {}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            self.modbus = {}
            for name in ("screening", "grinding"):
                server = ModbusTcpServer(self._device(), address=("127.0.0.1", 0))
                await server.serve_forever(background=True)
                stack.push_async_callback(server.shutdown)
                assert server.transport is not None
                port = server.transport.sockets[0].getsockname()[1]
                self.endpoints[name] = f"modbus-tcp://127.0.0.1:{port}?unit=1"
                self.modbus[name] = server
            for name, (place, low_first) in {"screening": (2, False), "grinding": (0x1002, True)}.items():
                words = list(struct.unpack(">HH", struct.pack(">f", 1234.5)))  # the map's probe constant
                await self.modbus[name].async_setValues(1, 16, place, words[::-1] if low_first else words)
            await self._opcua(stack)
            ticking = asyncio.ensure_future(self._tick())
            stack.callback(ticking.cancel)
            yield

    @staticmethod
    def _device() -> SimDevice:
        bits = [SimData(0, values=[False] * 16384, datatype=DataType.BITS)]
        words = [SimData(0, values=[0] * 16384, datatype=DataType.REGISTERS)]
        return SimDevice(id=1, simdata=(bits, bits, words, words))

    async def _opcua(self, stack: contextlib.AsyncExitStack) -> None:
        server = Server()
        await server.init()
        server.set_endpoint("opc.tcp://127.0.0.1:0/foreign")
        index = await server.register_namespace("urn:linecontrol:drying")
        folder = await server.nodes.objects.add_object(ua.NodeId("Plc", index), ua.QualifiedName("Plc", index))
        kinds = {"bool": ua.VariantType.Boolean, "uint16": ua.VariantType.UInt16, "uint32": ua.VariantType.UInt32}
        self.nodes = {}
        for tag in self._config.stations["drying"].tags:
            kind = kinds.get(tag.type.value, ua.VariantType.Double)
            value = False if tag.type.value == "bool" else 0 if kind is not ua.VariantType.Double else 20.0
            value = 1234.5 if tag.name == "QI-300" else value
            name = tag.address.removeprefix("s=")
            node = await folder.add_variable(ua.NodeId(name, index), ua.QualifiedName(name, index), value, kind)
            await node.set_writable()
            self.nodes[tag.name] = (node, kind)
        for name in ("Start", "Stop"):
            await folder.add_method(
                ua.NodeId(f"Plc.{name}", index), ua.QualifiedName(name, index), lambda _parent: [], [], []
            )
        await server.start()
        stack.push_async_callback(server.stop)
        port = server.bserver._server.sockets[0].getsockname()[1]
        self.endpoints["drying"] = f"opc.tcp://127.0.0.1:{port}/foreign"

    async def _tick(self) -> None:
        while True:
            self._sequence += 1
            for name, (alive, low_first) in {"screening": (4, False), "grinding": (0x1004, True)}.items():
                words = [self._sequence & 0xFFFF, 0] if low_first else [0, self._sequence & 0xFFFF]
                await self.modbus[name].async_setValues(1, 16, alive, words)
            node, kind = self.nodes["SEQ-300"]
            await node.write_value(ua.DataValue(ua.Variant(self._sequence, kind)))
            await asyncio.sleep(0.2)


async def test_a_foreign_simulator_with_our_map_is_driven(tmp_path: Path) -> None:
    foreign = ForeignPlc(read_line("demo"))
    async with foreign.running(), driven(demo_at(foreign.endpoints), tmp_path, 1.0) as line:
        assert all(station.is_claimed for station in line.stations.values())
        for tag, value in (("SC-103", 12.3), ("SC-201", 1500), ("SC-307", 55.5)):
            receipt = await line.gate.submit(Command(tag, value, "operator:test"))
            assert receipt.ok, receipt
        words = (await foreign.modbus["screening"].async_getValues(1, 3, 107, 1))[0]
        assert words == 123
        assert (await foreign.modbus["grinding"].async_getValues(1, 3, 0x1000 + 104, 1))[0] == 1500
        assert await foreign.nodes["SC-307"][0].read_value() == 55.5
        first = (await foreign.modbus["screening"].async_getValues(1, 3, 100, 1))[0]

        async def beat_moves() -> None:
            while (await foreign.modbus["screening"].async_getValues(1, 3, 100, 1))[0] == first:
                await asyncio.sleep(0.05)

        await asyncio.wait_for(beat_moves(), 20)
        await until(lambda: line.image.latest("TT-309").is_good)
        assert line.image.latest("TT-309").value == 20.0
