"""Engineering units as OPC UA names them: UNECE Recommendation 20 codes, as OPC 10000-8 5.6.3 asks for. Pure."""

from __future__ import annotations

NAMESPACE = "http://www.opcfoundation.org/UA/units/un/cefact"
NO_CODE = -1
_UNECE = {
    "kg": "KGM", "kg/h": "E93", "°C": "CEL", "%": "P1", "% wb": "P1", "Pa": "PAL", "kWh": "KWH", "kW": "KWT",
    "m3": "MTQ", "m3/h": "MQH", "kg/m3": "KMQ", "g/m3": "A93", "rpm": "RPM",
}  # fmt: skip


def unit_id(unit: str) -> int:
    """The code's letters as a number; NO_CODE for a unit without one."""
    code = _UNECE.get(unit, "")
    return int.from_bytes(code.encode(), "big") if code else NO_CODE
