"""A simulated PLC's OPC UA face. The only file of the simulator that imports asyncua; it holds no process logic.

A folder per piece of equipment (what stands before the dot in the node id), a variable per tag with EURange and
EngineeringUnits, and the start and stop methods of the run command.

Values are put straight into the address space when a client asks or is subscribed, all of one PLC revision together;
an idle wire costs nothing. The source time stamp is the real time of the plant update a value comes from. A sensor
without value is Null with BadSensorFailure.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, cast

import asyncua
from asyncua.common.callback import CallbackType, ServerItemCallback
from asyncua.common.node import Node
from asyncua.server.server import Server

from simulator import units
from simulator.encode import saturate
from simulator.gate import Gate
from simulator.opcua_mends import fill, mend_dead_band, mend_republish
from simulator.plc import Answer, Plc
from simulator.profile import Point, Station

ua: Any = asyncua.ua  # its annotations ask for its own number types, which nobody makes, the library included
_NodeId = Any

_TYPES = {
    "bool": ua.VariantType.Boolean,
    "int16": ua.VariantType.Int16,
    "uint16": ua.VariantType.UInt16,
    "int32": ua.VariantType.Int32,
    "uint32": ua.VariantType.UInt32,
    "float32": ua.VariantType.Float,
    "float64": ua.VariantType.Double,
}
_GOOD = ua.StatusCode(ua.StatusCodes.Good)
_NULL = ua.Variant(None, ua.VariantType.Null)
_REFUSALS = {
    Answer.DONE: ua.StatusCodes.Good,
    Answer.READ_ONLY: ua.StatusCodes.BadNotWritable,
    Answer.OUT_OF_RANGE: ua.StatusCodes.BadOutOfRange,
    Answer.NOT_NOW: ua.StatusCodes.BadInvalidState,
}


class OpcUaServer:
    """Serves one PLC behind its gate.

    Attributes:
        gate: where it listens; link faults are put there.
        refusing: status code shown on every value and answered to every write and call, or 0.
    """

    def __init__(self, station: Station, plc: Plc, host: str, port: int) -> None:
        self.station = station
        self.gate = Gate(host, port, self._enter)
        self.refusing = 0
        self._updated_at = datetime.now(UTC)
        self._plc = plc
        self._server = Server()
        self._slots: dict[_NodeId, tuple[Point, Any]] = {}
        self._variants: dict[str, tuple[float, ua.Variant]] = {}
        self._shown: tuple[int, int] = (-1, 0)
        self._answers: dict[int, list[tuple[int, ua.WriteValue, ua.StatusCode]]] = {}

    async def start(self) -> None:
        """Build the address space and listen. Raises OSError when the port is taken."""
        server = self._server
        await fill(server)
        server.set_endpoint(f"opc.tcp://{self.gate.host}:{self.gate.port}{self.station.endpoint.path}")
        server.set_server_name(f"Simulated PLC {self.station.name}")
        await server.set_application_uri(f"urn:simulator:{self.station.name}")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        server.disable_clock(True)  # its task cannot be ended at once; the clock is read on demand below
        await self._build(await server.register_namespace(self.station.namespace))
        limit = ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead
        await server.get_node(ua.NodeId(limit)).write_value(self.station.max_nodes_per_read, ua.VariantType.UInt32)
        listeners = server.iserver.callback_service
        listeners.addListener(CallbackType.PreRead, self._before_read)  # type: ignore[arg-type]
        listeners.addListener(CallbackType.PreWrite, self._before_write)  # type: ignore[arg-type]
        listeners.addListener(CallbackType.PostWrite, self._after_write)  # type: ignore[arg-type]
        mend_republish(server.iserver.subscription_service, ua.uaerrors.BadMessageNotAvailable)
        mend_dead_band(server.iserver.subscription_service)
        # The library insists on a listener of its own: let it have a free port, then take its place.
        server.socket_address = (self.gate.host, 0)
        await server.start()
        server.set_attribute_value_callback(ua.NodeId(ua.ObjectIds.Server_ServerStatus_CurrentTime), _current_time)
        self._library_listener().close()
        await self.gate.open()

    async def stop(self) -> None:
        self.gate.close()
        await asyncio.sleep(0)  # lets cut connections end before the library counts them
        await self._server.stop()

    async def publish(self) -> None:
        """Push fresh values to subscribers, if there are any."""
        watched = [node for node, (_, slot) in self._slots.items() if slot.datachange_callbacks]
        if watched:
            self._refresh()
        for node in watched:
            await self._server.write_attribute_value(node, self._slots[node][1].value)

    def note_update(self, updated_at: datetime) -> None:
        """Real time of the PLC's latest scan; becomes the source time stamp."""
        self._updated_at = updated_at

    def failure_code(self, text: str) -> int:
        """OPC UA status code of this text; "" (or a Modbus code) = BadDeviceFailure. Raises ValueError."""
        code = int(text, 0) if text else 0
        return code if code >= ua.StatusCodes.Bad else int(ua.StatusCodes.BadDeviceFailure)

    def _enter(self) -> asyncio.Protocol:
        assert self._server.bserver is not None  # noqa: S101 - the gate opens after the server has started
        return self._server.bserver._make_protocol()  # noqa: SLF001

    def _library_listener(self) -> asyncio.Server:
        assert self._server.bserver is not None  # noqa: S101 - called right after start
        return cast(asyncio.Server, self._server.bserver._server)  # noqa: SLF001

    # Address space

    async def _build(self, space: int) -> None:
        folders: dict[str, Node] = {}
        for point in self.station.points:
            node_id = _node_id(point.node, space)
            folder = await self._folder(folders, _equipment(point.node, self.station.name), space)
            await self._add_variable(folder, node_id, point, space)
            for text, on in zip(point.methods, (True, False), strict=False):
                parent = await self._folder(folders, _equipment(text, self.station.name), space)
                name = ua.QualifiedName(_leaf(text), space)
                await parent.add_method(_node_id(text, space), name, self._method(point.name, on), [], [])

    async def _folder(self, folders: dict[str, Node], name: str, space: int) -> Node:
        if name not in folders:
            objects = self._server.nodes.objects
            folders[name] = await objects.add_object(ua.NodeId(name, space), ua.QualifiedName(name, space))
        return folders[name]

    async def _add_variable(self, folder: Node, node_id: _NodeId, point: Point, space: int) -> None:
        """Added with its final name and type: what a client sees of it in its folder is copied when it is added."""
        kind = _TYPES[point.kind]
        access = ua.AccessLevel.CurrentRead.mask | (ua.AccessLevel.CurrentWrite.mask if point.writable else 0)
        of_type = ua.ObjectIds.BaseDataVariableType if point.kind == "bool" else ua.ObjectIds.AnalogItemType
        attributes = ua.VariableAttributes(
            DisplayName=ua.LocalizedText(f"{point.name} {point.title}", "en"),
            Description=ua.LocalizedText(point.title, "en"),
            Value=ua.Variant(_plain(point, 0.0), kind),
            DataType=ua.NodeId(kind.value),
            ValueRank=ua.ValueRank.Scalar,
            AccessLevel=access,
            UserAccessLevel=access,
        )
        item = ua.AddNodesItem(
            ParentNodeId=folder.nodeid,
            ReferenceTypeId=ua.NodeId(ua.ObjectIds.HasComponent),
            RequestedNewNodeId=node_id,
            BrowseName=ua.QualifiedName(point.name, space),
            NodeClass=ua.NodeClass.Variable,
            NodeAttributes=attributes,
            TypeDefinition=ua.NodeId(of_type),
        )
        added = await self._server.iserver.isession.add_nodes([item])
        added[0].StatusCode.check()
        if point.kind != "bool":
            await self._describe_analog(self._server.get_node(node_id), point, space)
        value = self._server.iserver.aspace[node_id].attributes[ua.AttributeIds.Value]
        self._slots[node_id] = (point, value)

    async def _describe_analog(self, node: Node, point: Point, space: int) -> None:
        """Give the variable what an AnalogItemType has (OPC 10000-8 5.3.2.3)."""
        low, high = saturate(point.kind, point.low), saturate(point.kind, point.high)
        bounds = ua.Range(float(low), float(high))
        await node.add_property(_part(node.nodeid, "EURange", space), ua.QualifiedName("EURange", 0), bounds)
        if point.unit:
            unit = ua.EUInformation(
                NamespaceUri=units.NAMESPACE,
                UnitId=units.unit_id(point.unit),
                DisplayName=ua.LocalizedText(point.unit),
                Description=ua.LocalizedText(point.unit),
            )
            label = ua.QualifiedName("EngineeringUnits", 0)
            await node.add_property(_part(node.nodeid, "EngineeringUnits", space), label, unit)

    def _method(self, name: str, on: bool) -> Callable[..., Awaitable[Any]]:
        async def call(_parent: _NodeId, *arguments: Any) -> Any:
            if self.refusing:
                return ua.StatusCode(self.refusing)
            if arguments:
                return ua.StatusCode(ua.StatusCodes.BadTooManyArguments)
            answer = self._plc.write(name, float(on))
            return [] if answer is Answer.DONE else ua.StatusCode(_REFUSALS[answer])

        return call

    # Reading

    def _before_read(self, _event: ServerItemCallback, _service: object) -> None:
        """Runs just before the library answers a read, without a turn of the loop in between."""
        self._refresh()

    def _refresh(self) -> None:
        wanted = (self._plc.revision, self.refusing)
        if wanted == self._shown:
            return
        self._shown = wanted
        stamp = self._updated_at
        failed = ua.StatusCode(self.refusing) if self.refusing else None
        broken = ua.StatusCode(ua.StatusCodes.BadSensorFailure)
        for point, slot in self._slots.values():
            value = self._plc.value(point.name)
            if failed is not None or math.isnan(value):
                slot.value = ua.DataValue(_NULL, failed or broken, stamp, stamp)
            else:
                slot.value = ua.DataValue(self._variant(point, value), _GOOD, stamp, stamp)

    def _variant(self, point: Point, value: float) -> Any:
        """Making one costs most of an update, so an unchanged value keeps its own."""
        kept = self._variants.get(point.name)
        if kept is None or kept[0] != value:
            kept = self._variants[point.name] = (value, ua.Variant(_plain(point, value), _TYPES[point.kind]))
        return kept[1]

    # Writing

    def _before_write(self, event: ServerItemCallback, _service: object) -> None:
        """Take our nodes out of the request and answer them ourselves: the library checks neither range nor state."""
        wishes: list[Any] = event.request_params.NodesToWrite
        ours = [(k, wish) for k, wish in enumerate(wishes) if self._is_ours(wish)]
        self._answers[id(event.request_params)] = [(k, wish, self._write(wish)) for k, wish in ours]
        taken = {k for k, _ in ours}
        wishes[:] = [wish for k, wish in enumerate(wishes) if k not in taken]

    def _after_write(self, event: ServerItemCallback, _service: object) -> None:
        for k, wish, answer in self._answers.pop(id(event.request_params), ()):
            event.request_params.NodesToWrite.insert(k, wish)
            event.response_params.insert(k, answer)

    def _is_ours(self, wish: Any) -> bool:
        return wish.NodeId in self._slots or wish.NodeId not in self._server.iserver.aspace

    def _write(self, wish: Any) -> Any:
        if wish.NodeId not in self._slots:
            return ua.StatusCode(ua.StatusCodes.BadNodeIdUnknown)
        point, _ = self._slots[wish.NodeId]
        data = wish.Value
        if self.refusing:
            return ua.StatusCode(self.refusing)
        if not point.writable or wish.AttributeId != ua.AttributeIds.Value:
            return ua.StatusCode(ua.StatusCodes.BadNotWritable)
        if wish.IndexRange or (data.StatusCode is not None and not data.StatusCode.is_good()):
            return ua.StatusCode(ua.StatusCodes.BadWriteNotSupported)
        if data.Value is None or data.Value.VariantType != _TYPES[point.kind] or data.Value.is_array:
            return ua.StatusCode(ua.StatusCodes.BadTypeMismatch)
        answer = self._plc.write(point.name, point.scaling.engineering(float(data.Value.Value)))
        # A register write is taken even when the latch then holds it off; the read-back tells.
        return ua.StatusCode(_REFUSALS[Answer.DONE if answer is Answer.NOT_NOW else answer])


def _current_time(_node: _NodeId, _attribute: Any) -> Any:
    now = datetime.now(UTC)
    return ua.DataValue(ua.Variant(now, ua.VariantType.DateTime), _GOOD, now, now)


def _plain(point: Point, value: float) -> bool | int | float:
    raw = saturate(point.kind, point.scaling.raw(value))
    return bool(raw) if point.kind == "bool" else raw


def _node_id(text: str, space: int) -> _NodeId:
    """``s=Heater.TT-303`` or ``i=1001`` in the station's namespace."""
    kind, _, name = text.partition("=")
    if kind not in ("s", "i") or not name:
        raise ValueError(f"node id {text!r} is not accepted (accepted: s=text or i=number)")
    return ua.NodeId(int(name) if kind == "i" else name, space)


def _part(owner: _NodeId, name: str, space: int) -> _NodeId:
    return ua.NodeId(f"{owner.Identifier}.{name}", space)


def _equipment(text: str, station: str) -> str:
    """The part of a node id before the last dot: ``Heater`` of ``s=Heater.TT-303``; the station's name if none."""
    name = text.partition("=")[2]
    return name.rpartition(".")[0].strip('"') or station


def _leaf(text: str) -> str:
    return text.partition("=")[2].rpartition(".")[2].strip('"')
