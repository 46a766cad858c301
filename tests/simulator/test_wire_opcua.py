"""A foreign OPC UA client (bare asyncua) at the simulated drying cabinet, over a real socket."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client, ua
from wire_rig import DEMO, opcua, running, until, write_line


def node(client: Client, space: int, name: str) -> Any:
    return client.get_node(f"ns={space};s={name}")


async def write(client: Client, space: int, name: str, value: Any, kind: ua.VariantType) -> None:
    await node(client, space, name).write_value(ua.DataValue(ua.Variant(value, kind)))


async def test_browse_read_write_and_call() -> None:
    async with running(DEMO, "drying") as simulation, opcua(simulation) as (client, space):
        plc, plant = simulation.cabinets["drying"].plc, simulation.plant
        folders = {(await n.read_browse_name()).Name for n in await client.nodes.objects.get_children()}
        assert folders >= {"Plc", "Feeder", "Heater", "Dryer", "Fan", "Packing"}

        inlet = node(client, space, "Heater.TT-303")
        value = await inlet.read_data_value()
        assert value.Value.Value == 120.0
        assert abs(datetime.now(UTC) - value.SourceTimestamp) < timedelta(seconds=2)
        assert (await (await inlet.get_child("0:EURange")).read_value()).High == 230.0
        unit = await (await inlet.get_child("0:EngineeringUnits")).read_value()
        assert (unit.DisplayName.Text, unit.UnitId) == ("°C", 4408652)
        assert await inlet.read_type_definition() == ua.NodeId(ua.ObjectIds.AnalogItemType)
        assert (await inlet.read_display_name()).Text == "TT-303 Inlet air temperature"
        assert await node(client, space, "Plc.QI-300").read_value() == 1234.5

        with pytest.raises(ua.uaerrors.BadOutOfRange):
            await write(client, space, "Fan.SC-307", 100.5, ua.VariantType.Double)
        with pytest.raises(ua.uaerrors.BadOutOfRange):
            await write(client, space, "Fan.SC-307", float("nan"), ua.VariantType.Double)
        with pytest.raises(ua.uaerrors.BadOutOfRange):
            await write(client, space, "Packing.XV-312", 3, ua.VariantType.UInt16)
        with pytest.raises(ua.uaerrors.BadTypeMismatch):
            await write(client, space, "Fan.SC-307", 50, ua.VariantType.Int32)
        with pytest.raises(ua.uaerrors.BadNotWritable):
            await write(client, space, "Heater.TT-303", 1.0, ua.VariantType.Double)
        assert await node(client, space, "Fan.SC-307").read_value() == 0.0
        assert await inlet.read_value() == 120.0

        kinds = [ua.VariantType.Double, ua.VariantType.Double, ua.VariantType.UInt16]
        names = ["Fan.SC-307", "Heater.TT-303", "Packing.XV-312"]
        wishes = [
            ua.WriteValue(node(client, space, n).nodeid, ua.AttributeIds.Value, Value=ua.DataValue(ua.Variant(v, k)))
            for n, v, k in zip(names, (55.0, 1.0, 0), kinds, strict=True)
        ]
        answers = await client.uaclient.write(ua.WriteParameters(NodesToWrite=wishes))
        assert [answer.is_good() for answer in answers] == [True, False, True]
        await until(lambda: plant.inputs["SC-307"] == 55.0)
        assert plant.inputs["XV-312"] == 0.0

        cabinet = node(client, space, "Plc")
        await cabinet.call_method(f"{space}:Start")
        assert await node(client, space, "Plc.XS-301").read_value() is True
        await until(lambda: plant.inputs["XS-301"] == 1.0)
        await cabinet.call_method(f"{space}:Stop")
        assert await node(client, space, "Plc.XS-301").read_value() is False
        await write(client, space, "Plc.XS-301", True, ua.VariantType.Boolean)
        assert plc.value("XC-301") == 1.0

        plc.step(0.5, 6.0, simulation.plant.sensors)
        assert plc.tripped
        with pytest.raises(ua.uaerrors.BadInvalidState):
            await cabinet.call_method(f"{space}:Start")
        assert await node(client, space, "Plc.XA-302").read_value() is True
        assert await node(client, space, "Packing.XV-312").read_value() == 1


async def test_pairs_are_whole_and_time_stamps_move_with_a_still_value() -> None:
    async with running(DEMO, "drying", speed=500.0) as simulation, opcua(simulation) as (client, space):
        names = ("Plc.SEQ-300", "Plc.CHK-300", "Heater.TT-303")
        nodes = [node(client, space, name) for name in names]
        seen, stamps = set(), set()
        for _ in range(2000):
            sequence, check, inlet = await client.read_attributes(nodes)
            assert check.Value.Value == sequence.Value.Value * 2654435761 % 2**32
            assert sequence.SourceTimestamp == check.SourceTimestamp == inlet.SourceTimestamp
            seen.add(sequence.Value.Value)
            stamps.add(inlet.SourceTimestamp)
        assert len(seen) > 10
        assert len(stamps) > 10

        got: asyncio.Queue[Any] = asyncio.Queue()

        class Watcher:
            def datachange_notification(self, _node: Any, value: Any, _data: Any) -> None:
                got.put_nowait(value)

        subscription = await client.create_subscription(50, Watcher())
        await subscription.subscribe_data_change(nodes[0])
        first, second, third = [await asyncio.wait_for(got.get(), 5) for _ in range(3)]
        assert first < second < third
        await subscription.delete()


async def test_another_namespace_and_node_ids_need_no_python(tmp_path: Path) -> None:
    def change(files: dict[str, dict[str, Any]]) -> None:
        files["drying"]["brand"] = "siemens-s7-1500-opcua"
        del files["drying"]["namespace"]
        for tag in files["drying"]["tags"]:
            tag.pop("methods", None)
            tag["address"] = f's="DB_Line"."{tag["name"]}"'
        tags = {tag["name"]: tag for tag in files["drying"]["tags"]}
        tags["MT-306"] |= {"type": "int16", "scale": 0.01}
        tags["TT-305"]["address"] = "i=1305"

    async with running(write_line(tmp_path, change), "drying") as simulation, opcua(simulation) as (client, space):
        assert (await client.get_namespace_array())[space] == "http://www.siemens.com/simatic-s7-opcua"
        assert await node(client, space, '"DB_Line"."MT-306"').read_value() == 1310
        assert await client.get_node(ua.NodeId(1305, space)).read_value() == 50.0
        simulation.cabinets["drying"].plc.overrides["MT-306"] = lambda _value: float("nan")
        await until(lambda: simulation.plant_time_s > 1.0)
        broken = await node(client, space, '"DB_Line"."MT-306"').read_data_value(raise_on_bad_status=False)
        assert broken.StatusCode.name == "BadSensorFailure"
        assert broken.Value.Value is None


async def test_what_foreign_clients_rely_on() -> None:
    async with running(DEMO, "drying") as simulation, opcua(simulation) as (client, space):
        references = await node(client, space, "Heater").get_references(ua.ObjectIds.HasComponent)
        inlet = next(found for found in references if found.BrowseName.Name == "TT-303")
        assert inlet.TypeDefinition == ua.NodeId(ua.ObjectIds.AnalogItemType)
        assert inlet.DisplayName.Text == "TT-303 Inlet air temperature"
        assert inlet.NodeClass == ua.NodeClass.Variable
        flow = await (await node(client, space, "Fan.FT-307").get_child("0:EngineeringUnits")).read_value()
        assert flow.NamespaceUri.endswith("/cefact")

        with pytest.raises(ua.uaerrors.BadTooManyArguments):
            await node(client, space, "Plc").call_method(f"{space}:Start", 1.0)
        assert await node(client, space, "Plc.XS-301").read_value() is False
        with pytest.raises(ua.uaerrors.BadNodeIdUnknown):
            await write(client, space, "No.Such", 1.0, ua.VariantType.Double)
        title = ua.DataValue(ua.Variant(ua.LocalizedText("mine"), ua.VariantType.LocalizedText))
        with pytest.raises(ua.uaerrors.BadNotWritable):
            await node(client, space, "Fan.SC-307").write_attribute(ua.AttributeIds.DisplayName, title)

        got: asyncio.Queue[Any] = asyncio.Queue()

        class Watcher:
            def datachange_notification(self, _node: Any, value: Any, _data: Any) -> None:
                got.put_nowait(value)

        subscription = await client.create_subscription(50, Watcher())
        await subscription.subscribe_data_change(node(client, space, "Plc.SEQ-300"))
        await asyncio.wait_for(got.get(), 5)
        with pytest.raises(ua.uaerrors.BadMessageNotAvailable):
            await subscription.server.republish(subscription.subscription_id, 10_000)
        await subscription.delete()
