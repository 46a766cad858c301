"""The fault library seen from outside: each fault over real sockets, and how faults are written."""

from __future__ import annotations

import asyncio
import contextlib
import math
from datetime import datetime, timedelta
from typing import Any

import pytest
from asyncua import ua
from pymodbus.exceptions import ModbusException
from wire_rig import DEMO, modbus, opcua, running, until

from simulator.faults import FaultError, read_fault
from simulator.simulation import Simulation


async def begin(simulation: Simulation, text: str) -> None:
    await simulation.faults.begin(read_fault(text, simulation.cabinets))


async def rate(client: Any) -> float:
    answer = await client.read_holding_registers(12, count=2, device_id=1)
    assert not answer.isError(), answer
    return client.convert_from_registers(answer.registers, client.DATATYPE.FLOAT32)


async def test_sensor_faults_on_modbus() -> None:
    async with running(DEMO, "screening") as simulation, modbus(simulation, "screening") as client:
        await begin(simulation, "nan:screening:WT-102")
        await begin(simulation, "nan:screening:AT-106")
        await until(lambda: math.isnan(simulation.cabinets["screening"].plc.value("WT-102")))
        assert math.isnan(await rate(client))
        assert (await client.read_holding_registers(16, count=1, device_id=1)).registers == [0x8000]
        await simulation.faults.clear("nan:screening:WT-102")
        seen = simulation.plant_time_s
        await until(lambda: simulation.plant_time_s > seen)
        assert await rate(client) == 812.5

        await begin(simulation, "offset:screening:WT-102=-12.5")
        await until(lambda: simulation.plant_time_s > seen + 1)
        assert await rate(client) == 800.0
        simulation.plant.sensors["WT-102"] = 900.0
        seen = simulation.plant_time_s
        await until(lambda: simulation.plant_time_s > seen + 1)
        assert await rate(client) == 887.5

        await begin(simulation, "stuck:screening:WT-102")
        simulation.plant.sensors["WT-102"] = 100.0
        seen = simulation.plant_time_s
        await until(lambda: simulation.plant_time_s > seen + 1)
        assert await rate(client) == 887.5
        assert await simulation.faults.clear("all")
        seen = simulation.plant_time_s
        await until(lambda: simulation.plant_time_s > seen + 1)
        assert await rate(client) == 100.0


async def test_link_faults_on_modbus() -> None:
    async with running(DEMO, "screening") as simulation:
        async with modbus(simulation, "screening") as client:
            await begin(simulation, "exception:screening:6")
            assert (await client.read_holding_registers(0, count=1, device_id=1)).exception_code == 6
            assert (await client.write_register(106, 1, device_id=1)).exception_code == 6
            await begin(simulation, "exception:screening")
            assert (await client.read_holding_registers(0, count=1, device_id=1)).exception_code == 4
            await simulation.faults.clear("all")
            assert await rate(client) == 812.5

            await begin(simulation, "silent:screening")
            with pytest.raises(ModbusException):
                await client.write_register(106, 4250, device_id=1)
        async with modbus(simulation, "screening") as client:  # a new connection is accepted
            with pytest.raises(ModbusException):
                await rate(client)
            await simulation.faults.clear("silent:screening")
            assert await rate(client) == 812.5
            assert (await client.read_holding_registers(106, count=1, device_id=1)).registers == [0]

            gate = simulation.cabinets["screening"].face.gate
            await begin(simulation, "refuse:screening")
            await until(lambda: not client.connected)
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(gate.host, gate.port)
        await simulation.faults.clear("all")
        async with modbus(simulation, "screening") as client:
            assert await rate(client) == 812.5


async def test_program_faults_on_modbus() -> None:
    async with running(DEMO, "screening", boot_id=41) as simulation:
        async with modbus(simulation, "screening") as client:
            await client.write_registers(102, [0, 9], device_id=1)
            await client.write_register(106, 4250, device_id=1)
            await begin(simulation, "ignore-writes:screening")
            assert not (await client.write_register(106, 1000, device_id=1)).isError()
            await client.write_register(100, 8, device_id=1)
            after = await client.read_holding_registers(100, count=7, device_id=1)
            assert after.registers == [8, 0, 0, 9, 0, 0, 4250]
            await simulation.faults.clear("all")
            await begin(simulation, "external-write:screening:SC-101=33.5")
            assert (await client.read_holding_registers(106, count=1, device_id=1)).registers == [3350]
            await begin(simulation, "reboot:screening")
            await until(lambda: not client.connected)
        async with modbus(simulation, "screening") as client:
            assert (await client.read_holding_registers(0, count=1, device_id=1)).registers == [42]
            assert (await client.read_holding_registers(100, count=9, device_id=1)).registers == [0] * 9


async def test_faults_on_opcua() -> None:
    async with running(DEMO, "drying") as simulation:
        async with opcua(simulation) as (client, space):
            moisture = client.get_node(f"ns={space};s=Packing.MT-306")
            fan = client.get_node(f"ns={space};s=Fan.SC-307")
            await begin(simulation, "nan:drying:MT-306")
            await until(lambda: math.isnan(simulation.cabinets["drying"].plc.value("MT-306")))
            seen = simulation.plant_time_s
            await until(lambda: simulation.plant_time_s > seen)
            broken = await moisture.read_data_value(raise_on_bad_status=False)
            assert (broken.StatusCode.name, broken.Value.VariantType) == ("BadSensorFailure", ua.VariantType.Null)
            assert await fan.read_value() == 0.0

            await begin(simulation, "exception:drying")
            values = await client.read_attributes([moisture, fan])
            assert {value.StatusCode.name for value in values} == {"BadDeviceFailure"}
            with pytest.raises(ua.uaerrors.BadDeviceFailure):
                await fan.write_value(ua.DataValue(ua.Variant(10.0, ua.VariantType.Double)))
            with pytest.raises(ua.uaerrors.BadDeviceFailure):
                await client.get_node(f"ns={space};s=Plc").call_method(f"{space}:Start")
            await simulation.faults.clear("all")
            assert await fan.read_value() == 0.0
            seen = simulation.plant_time_s
            await until(lambda: simulation.plant_time_s > seen)
            assert await moisture.read_value() == 13.1

            await begin(simulation, "silent:drying")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(fan.read_value(), 0.3)
            gate = simulation.cabinets["drying"].face.gate
            _, writer = await asyncio.open_connection(gate.host, gate.port)  # still accepted
            writer.close()
            await simulation.faults.clear("all")
            await begin(simulation, "reboot:drying")
        async with opcua(simulation) as (client, space):
            assert await client.get_node(f"ns={space};s=Plc.XI-300").read_value() == 2
            await begin(simulation, "refuse:drying")
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(gate.host, gate.port)


async def test_faults_begin_and_end_on_plant_time() -> None:
    texts = ["nan:screening:WT-102@10+20", "stuck:screening:ST-103@1000", "reboot:screening@12"]
    async with running(DEMO, "screening", speed=200.0, faults=texts) as simulation:
        plc = simulation.cabinets["screening"].plc
        assert not plc.overrides
        await until(lambda: "WT-102" in plc.overrides)
        assert 10.0 <= simulation.plant_time_s < 30.0
        await until(lambda: plc.boot_id == 2)
        await until(lambda: not plc.overrides)
        assert simulation.plant_time_s >= 30.0
        assert await simulation.faults.clear("stuck:screening:ST-103")
        assert not await simulation.faults.clear("stuck:screening:ST-103")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("fire:screening", "not known"),
        ("nan:bakery:WT-102", "not on this line"),
        ("nan:screening", "not at this station"),
        ("nan:screening:TT-303", "not at this station"),
        ("offset:screening:WT-102", "TAG=VALUE"),
        ("offset:screening:WT-102=much", "much"),
        ("exception:screening:9", "9"),
        ("silent:screening@soon", "soon"),
    ],
)
async def test_a_fault_that_cannot_be_is_refused_with_what_is_accepted(text: str, says: str) -> None:
    with pytest.raises(FaultError, match=says):
        async with running(DEMO, "screening", faults=[text]):
            pass


# -- the wire between: late, gone, reset, swapped; old values, wrong clocks


async def test_slow_answers_come_late_in_order_and_whole_on_modbus() -> None:
    async with running(DEMO, "screening") as simulation, modbus(simulation, "screening") as client:
        loop = asyncio.get_running_loop()
        await begin(simulation, "slow:screening:0.15")
        before = loop.time()
        assert await rate(client) == 812.5
        assert loop.time() - before >= 0.15
        gate = simulation.cabinets["screening"].face.gate
        reader, writer = await asyncio.open_connection(gate.host, gate.port)
        requests = [bytes([0, k, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1]) for k in range(5)]
        for request in requests:
            writer.write(request)
            await asyncio.sleep(0)
        await simulation.faults.clear("all")  # what is on its way stays late, and nothing overtakes it
        writer.write(bytes([0, 9, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1]))
        answers = [await asyncio.wait_for(reader.readexactly(11), 2) for _ in range(6)]
        assert [answer[1] for answer in answers] == [0, 1, 2, 3, 4, 9]
        writer.close()

        await begin(simulation, "slow:screening:5")
        client.comm_params.timeout_connect = 0.2
        with pytest.raises(ModbusException):  # later than the deadline, but carried out
            await client.write_register(106, 4250, device_id=1)
        plc = simulation.cabinets["screening"].plc
        assert plc.value("SC-101") == 42.5


async def test_half_open_is_mute_and_the_old_connection_never_comes_back_on_modbus() -> None:
    async with running(DEMO, "screening") as simulation, modbus(simulation, "screening") as old:
        assert await rate(old) == 812.5
        gate = simulation.cabinets["screening"].face.gate
        await begin(simulation, "half-open:screening")
        reader, writer = await asyncio.open_connection(gate.host, gate.port)  # taken, and as mute
        writer.write(bytes([0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1]))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.15)
        await simulation.faults.clear("all")
        async with modbus(simulation, "screening") as new:
            assert await rate(new) == 812.5
        writer.write(bytes([0, 2, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1]))
        with pytest.raises(TimeoutError):  # neither an answer nor an end: nobody says goodbye
            await asyncio.wait_for(reader.read(1), 0.15)
        writer.close()
        old.comm_params.timeout_connect = 0.15
        with pytest.raises(ModbusException):
            await rate(old)


async def test_rst_ends_connections_with_a_reset_and_new_ones_are_welcome() -> None:
    async with running(DEMO, "screening") as simulation:
        gate = simulation.cabinets["screening"].face.gate
        for text in ("rst:screening", "rst-storm:screening:600"):
            reader, writer = await asyncio.open_connection(gate.host, gate.port)
            await until(lambda: gate.connections == 1)
            await begin(simulation, text)
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(reader.read(1), 2)
            writer.close()
            async with modbus(simulation, "screening") as client:
                assert await rate(client) == 812.5


async def test_swapped_words_both_ways_on_modbus() -> None:
    async with running(DEMO, "screening") as simulation, modbus(simulation, "screening") as client:
        right = (await client.read_holding_registers(12, count=2, device_id=1)).registers
        single = (await client.read_holding_registers(16, count=1, device_id=1)).registers
        await begin(simulation, "word-order:screening")
        assert (await client.read_holding_registers(12, count=2, device_id=1)).registers == right[::-1]
        assert (await client.read_holding_registers(16, count=1, device_id=1)).registers == single
        assert not (await client.write_registers(102, [0, 9], device_id=1)).isError()
        assert (await client.read_holding_registers(102, count=2, device_id=1)).registers == [0, 9]
        wrong = simulation.cabinets["screening"].plc.value("OWN-100")
        await simulation.faults.clear("all")
        assert (await client.read_holding_registers(12, count=2, device_id=1)).registers == right
        assert not (await client.write_registers(102, [0, 9], device_id=1)).isError()
        assert {wrong, simulation.cabinets["screening"].plc.value("OWN-100")} == {9.0, 9.0 * 65536}


async def test_a_frozen_program_answers_with_old_values_on_modbus() -> None:
    async with running(DEMO, "screening") as simulation, modbus(simulation, "screening") as client:
        await begin(simulation, "freeze:screening")
        simulation.plant.sensors["WT-102"] = 1.0
        sequence = (await client.read_holding_registers(4, count=4, device_id=1)).registers
        seen = simulation.plant_time_s
        await until(lambda: simulation.plant_time_s > seen + 3)
        assert await rate(client) == 812.5
        assert (await client.read_holding_registers(4, count=4, device_id=1)).registers == sequence
        await simulation.faults.clear("all")
        seen = simulation.plant_time_s
        await until(lambda: simulation.plant_time_s > seen + 2)
        assert await rate(client) == 1.0
        assert (await client.read_holding_registers(4, count=4, device_id=1)).registers != sequence


async def test_wire_and_clock_faults_on_opcua() -> None:
    async with running(DEMO, "drying") as simulation:
        async with opcua(simulation) as (client, space):
            moisture = client.get_node(f"ns={space};s=Packing.MT-306")

            async def stamp() -> datetime:
                found = (await moisture.read_data_value()).SourceTimestamp
                assert found is not None
                return found

            async def next_update() -> None:
                seen = simulation.plant_time_s
                await until(lambda: simulation.plant_time_s > seen + 1)

            before = await stamp()
            await begin(simulation, "clock-jump:drying:-3600")
            await next_update()
            assert timedelta(seconds=-3600) < await stamp() - before < timedelta(seconds=-3590)
            await simulation.faults.clear("all")
            await next_update()
            assert timedelta(0) < await stamp() - before < timedelta(seconds=10)

            await begin(simulation, "freeze:drying")
            frozen = await stamp()
            simulation.plant.sensors["MT-306"] = 30.0
            fan = client.get_node(f"ns={space};s=Fan.SC-307")
            await fan.write_value(ua.DataValue(ua.Variant(10.0, ua.VariantType.Double)))
            await next_update()
            assert (await moisture.read_value(), await stamp()) == (13.1, frozen)
            assert await fan.read_value() == 10.0, "its memory takes what is written"
            await simulation.faults.clear("all")
            await next_update()
            assert await moisture.read_value() == 30.0

            await begin(simulation, "slow:drying:0.15")
            loop = asyncio.get_running_loop()
            asked = loop.time()
            assert await moisture.read_value() == 30.0
            assert loop.time() - asked >= 0.15
            await simulation.faults.clear("all")

            await begin(simulation, "half-open:drying")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(moisture.read_value(), 0.2)
            await simulation.faults.clear("all")
            with pytest.raises(TimeoutError):  # this connection is dead for ever
                await asyncio.wait_for(moisture.read_value(), 0.2)
            await begin(simulation, "rst:drying")
        async with opcua(simulation) as (client, space):
            assert await client.get_node(f"ns={space};s=Packing.MT-306").read_value() == 30.0


async def test_a_silent_cabinet_trips_by_itself() -> None:
    async with running(DEMO, "screening") as simulation:
        plc = simulation.cabinets["screening"].plc
        object.__setattr__(plc.station, "heartbeat_timeout_s", 0.3)
        async with modbus(simulation, "screening") as client:
            await client.write_register(104, 1, device_id=1)
            await begin(simulation, "silent:screening")

            async def beat() -> None:
                for k in range(1000):
                    with contextlib.suppress(ModbusException):
                        await client.write_register(100, k + 1, device_id=1, no_response_expected=True)
                    await asyncio.sleep(0.02)

            beating = asyncio.create_task(beat())
            await until(lambda: plc.tripped)
            beating.cancel()
