"""A foreign Modbus client (bare pymodbus) at the simulated cabinets, over real sockets."""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path
from typing import Any

import pytest
from pymodbus.client import AsyncModbusTcpClient
from wire_rig import DEMO, modbus, running, until, write_line

from simulator.yaml_text import load_yaml


def big(words: list[int]) -> bytes:
    return struct.pack(f">{len(words)}H", *words)


async def read(client: AsyncModbusTcpClient, address: int, count: int = 1) -> list[int]:
    answer = await client.read_holding_registers(address, count=count, device_id=1)
    assert not answer.isError(), answer
    return answer.registers


async def refusal(client: AsyncModbusTcpClient, call: str, *arguments: Any, **more: Any) -> int:
    answer = await getattr(client, call)(*arguments, **{"device_id": 1, **more})
    assert answer.isError(), answer
    return answer.exception_code


async def test_values_are_sensible_in_both_brands_orders() -> None:
    async with running(DEMO, "screening", "grinding") as simulation:
        async with modbus(simulation, "screening") as client:
            words = await read(client, 0, 26)
            assert words[0] == 1
            assert struct.unpack(">f", big(words[2:4]))[0] == 1234.5
            assert struct.unpack(">f", big(words[12:14]))[0] == 812.5
            assert struct.unpack(">I", big(words[14:16]))[0] == 123456  # 1234.56 kg in 0.01 kg
            assert words[16:18] == [2150, 120]
        async with modbus(simulation, "grinding") as client:
            words = await read(client, 0x1000, 32)
            assert struct.unpack(">f", big(words[3:1:-1]))[0] == 1234.5
            assert struct.unpack(">f", big(words[11:9:-1]))[0] == 14.25
            assert words[12] == 1500


async def test_what_is_written_is_read_back_and_reaches_the_plant() -> None:
    async with running(DEMO, "screening", "grinding") as simulation:
        async with modbus(simulation, "screening") as client:
            await client.write_register(107, 120, device_id=1)
            await client.write_registers(102, [0x1234, 0x5678], device_id=1)
            await client.write_register(106, 4250, device_id=1)
            assert await read(client, 102, 6) == [0x1234, 0x5678, 0, 0, 4250, 120]
            await until(lambda: simulation.plant.inputs["XS-101"] == 0.0)
            assert simulation.plant.inputs["SC-101"] == 0.0
            await client.write_register(104, 1, device_id=1)
            await until(lambda: simulation.plant.inputs["SC-101"] == 42.5)
            assert (await read(client, 8))[0] == 0b001
        async with modbus(simulation, "grinding") as client:
            await client.write_register(0x1000 + 104, 1500, device_id=1)
            await client.write_coil(0x0800 + 10, True, device_id=1)
            await until(lambda: simulation.plant.inputs["SC-201"] == 1500)
            answer = await client.read_coils(0x0800, count=12, device_id=1)
            assert answer.bits[:12] == [True, *[False] * 9, True, False]
            await client.write_coils(0x0800 + 10, [False, True], device_id=1)
            answer = await client.read_coils(0x0800, count=12, device_id=1)
            assert answer.bits[:12] == [*[False] * 11, True]


async def test_refusals() -> None:
    async with running(DEMO, "screening", "grinding") as simulation:
        async with modbus(simulation, "screening") as client:
            assert await refusal(client, "write_register", 106, 10001) == 3  # 100.01 %
            assert await refusal(client, "write_register", 106, 0xFFFF) == 3  # -0.01 %
            assert await refusal(client, "write_register", 104, 2) == 3  # neither on nor off
            assert await refusal(client, "write_register", 10, 1) == 2  # read-only
            assert await refusal(client, "write_registers", 8, [0]) == 2  # read-only bits
            assert await refusal(client, "write_registers", 105, [0, 4250, 9999]) == 3  # all of a block or nothing
            assert await refusal(client, "write_registers", 108, [0, 0]) == 2  # runs out of the area
            assert await read(client, 100, 9) == [0] * 9
            assert await refusal(client, "read_holding_registers", 0, count=121) == 3
            assert await refusal(client, "read_holding_registers", 24, count=3) == 2
            assert await refusal(client, "read_holding_registers", 6000, count=1) == 2
            assert await refusal(client, "read_input_registers", 0, count=1) == 2
            assert await refusal(client, "read_coils", 0, count=1) == 2
            assert await refusal(client, "read_holding_registers", 0, count=1, device_id=2) == 0x0B
            assert (await read(client, 1)) == [0]  # a small hole reads 0
        async with modbus(simulation, "grinding") as client:
            assert await refusal(client, "read_holding_registers", 0x1000, count=65) == 3
            assert await refusal(client, "write_coil", 0x0800, True) == 2
            assert await refusal(client, "write_coil", 0x0800 + 5, True) == 2


async def test_the_watchdog_trips_in_real_time_and_lets_go(tmp_path: Path) -> None:
    def change(files: dict[str, dict[str, Any]]) -> None:
        files["screening"]["heartbeat_timeout_s"] = 0.3

    async with (
        running(write_line(tmp_path, change), "screening") as simulation,
        modbus(simulation, "screening") as client,
    ):
        plc = simulation.cabinets["screening"].plc
        await client.write_registers(100, [1], device_id=1)
        await client.write_registers(104, [1, 0, 5000, 120, 3000], device_id=1)
        await until(lambda: simulation.plant.inputs["SC-101"] == 50.0)
        await until(lambda: plc.tripped)
        assert await read(client, 104, 5) == [0] * 5
        assert (await read(client, 8))[0] == 0b110
        await until(lambda: simulation.plant.inputs["FV-104"] == 0.0)
        await client.write_register(104, 1, device_id=1)
        assert await read(client, 104) == [0]
        await client.write_register(104, 0, device_id=1)
        await client.write_register(100, 2, device_id=1)
        await client.write_register(104, 1, device_id=1)
        assert await read(client, 104) == [1]
        assert (await read(client, 8))[0] == 0b001


async def test_the_sequence_pair_is_never_torn() -> None:
    async with running(DEMO, "grinding", speed=500.0) as simulation, modbus(simulation, "grinding") as client:
        seen = set()
        for _ in range(2000):
            words = await read(client, 0x1004, 4)
            sequence, check = words[0] | words[1] << 16, words[2] | words[3] << 16
            assert check == sequence * 2654435761 % 2**32
            seen.add(sequence)
        assert len(seen) > 10


async def test_rtu_frames_over_tcp_another_brand_and_other_addresses_need_no_python(tmp_path: Path) -> None:
    def change(files: dict[str, dict[str, Any]]) -> None:
        files["demo"]["stations"]["screening"]["endpoint"] = "modbus-rtu-tcp://127.0.0.1:502?unit=7"
        tags = {tag["name"]: tag for tag in files["screening"]["tags"]}
        for tag in tags.values():
            tag["address"] = f"D{4096 + int(tag['address'].removeprefix('%MW'))}"  # the second piece of the map
        tags["XA-101"].pop("bit")
        tags["XA-101"]["address"] = "X17"
        tags["WT-102"] |= {"type": "int16", "scale": 0.1, "offset": 500}
        files["screening"] |= {"brand": "delta-dvp", "byte_order": "little"}
        files["screening"]["tags"].append({"name": "ZZ-199", "address": "D4500", "type": "float32"})

    async with (
        running(write_line(tmp_path, change), "screening") as simulation,
        modbus(simulation, "screening", rtu=True) as client,
    ):
        assert "ZZ-199" in simulation.cabinets["screening"].plc.unknown
        answer = await client.read_holding_registers(0x9000, count=14, device_id=7)
        assert answer.registers[2:4] == [0x0050, 0x9A44]  # 1234.5 as DCBA
        assert answer.registers[12] == 0x350C  # 3125, bytes swapped
        answer = await client.read_discrete_inputs(0x0400 + 15, count=1, device_id=7)
        assert answer.bits[0] is False
        answer = await client.read_holding_registers(0x9000 + 404, count=2, device_id=7)
        assert answer.registers == [0, 0]
        answer = await client.write_register(0x9000 + 106, 0x9A10, device_id=7)  # 4250, bytes swapped
        assert not answer.isError()
        assert simulation.cabinets["screening"].plc.value("SC-101") == pytest.approx(42.5)


async def test_every_shipped_brand_boots_a_station(tmp_path: Path) -> None:
    """Each Modbus brand serves the demo's screening tags at the first addresses of its first holding area."""
    from simulator.profile import shipped_folder

    for file in sorted((shipped_folder() / "brands").glob("*.yaml")):
        brand = load_yaml(file.read_text("utf-8"))
        if brand["protocol"] != "modbus":
            continue
        area = next((area for area in brand["areas"] if area["table"] == "holding"), None)
        if area is None:
            continue

        def change(files: dict[str, dict[str, Any]], brand: Any = brand, area: Any = area) -> None:
            tags = files["screening"]["tags"][:2]
            base = int(str(area["first"]), 0)
            digits = {8: "o", 10: "d", 16: "X"}[area.get("radix", 10)]
            for tag, number in zip(tags, (base, base + 2), strict=True):
                tag["address"] = f"{area['prefix']}{number:{digits}}"
            files["screening"] |= {"brand": brand["name"], "tags": tags}

        async with (
            running(write_line(tmp_path, change), "screening") as simulation,
            modbus(simulation, "screening") as client,
        ):
            words = await read(client, int(str(area["wire"]), 0), 4)
            form = (words[3], words[2]) if brand.get("word_order") == "low_first" else (words[2], words[3])
            raw = struct.pack("<HH" if brand.get("byte_order") == "little" else ">HH", *form)
            assert struct.unpack(">f", raw)[0] == 1234.5, brand["name"]


async def test_many_clients_and_broken_connections_leave_nothing_behind() -> None:
    async with running(DEMO, "screening") as simulation:
        gate = simulation.cabinets["screening"].face.gate
        for _ in range(30):
            _, writer = await asyncio.open_connection(gate.host, gate.port)
            writer.write(b"\x00\x01\x00\x00\x00\x06\x01\x03\x00")
            writer.close()
            await writer.wait_closed()
        await until(lambda: not gate.connections)
        async with modbus(simulation, "screening") as client:
            assert await read(client, 0)
            assert gate.connections == 1
