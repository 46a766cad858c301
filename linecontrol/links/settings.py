"""How to reach a device: plain records, so that a line can be described without importing a protocol library."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from linecontrol.core.errors import ConfigError
from linecontrol.links.codec import ByteOrder, WordOrder
from linecontrol.links.plan import Run


@dataclass(frozen=True, slots=True)
class SerialPort:
    """A serial line, e.g. ``/dev/ttyUSB0``, 19200 8E1."""

    device: str
    baud: int = 19200
    parity: Literal["N", "E", "O"] = "E"
    stop_bits: Literal[1, 2] = 1
    data_bits: Literal[7, 8] = 8


@dataclass(frozen=True, slots=True)
class ModbusSettings:
    """How to reach and talk to one Modbus device.

    Attributes:
        framer: ``tcp``, or ``rtu`` for RTU frames over TCP. A ``serial`` port is always RTU; host and port are unused.
        unit: 0..255; 0 and 255 are what many TCP devices call themselves.
        max_read_words, max_write_words: registers in one request, 1..125 and 1..123.
        max_gap_words: unused registers that may be read along, 0..124.
        timeout_s: real seconds a request may take from sending to the whole answer; also a connect.
        inter_frame_s: real seconds of silence the device needs between requests.
        forbidden: addresses that no request may touch, not even to read along.
        write_forbidden: addresses that must not be written.
        worn: addresses in memory that wears out. ram_write_offset: 0..65535, added to these, and only these, to write
            past that memory; 0 = no such way.

    Raises:
        ConfigError: a number outside its range.
    """

    host: str = "127.0.0.1"
    port: int = 502
    framer: Literal["tcp", "rtu"] = "tcp"
    serial: SerialPort | None = None
    unit: int = 1
    word_order: WordOrder = "high_first"
    byte_order: ByteOrder = "big"
    max_read_words: int = 125
    max_write_words: int = 123
    max_gap_words: int = 0
    timeout_s: float = 1.0
    inter_frame_s: float = 0.0
    forbidden: tuple[Run, ...] = ()
    write_forbidden: tuple[Run, ...] = ()
    worn: tuple[Run, ...] = ()
    ram_write_offset: int = 0

    def __post_init__(self) -> None:
        _check("unit", self.unit, 0, 255)
        _check("max_read_words", self.max_read_words, 1, 125)
        _check("max_write_words", self.max_write_words, 1, 123)
        _check("max_gap_words", self.max_gap_words, 0, 124)
        _check("timeout_s", self.timeout_s, 0.001, 3600.0)
        _check("inter_frame_s", self.inter_frame_s, 0.0, 60.0)
        _check("ram_write_offset", self.ram_write_offset, 0, 65535)

    @property
    def is_rtu(self) -> bool:
        return self.serial is not None or self.framer == "rtu"

    @property
    def place(self) -> str:
        """For messages: where the device is."""
        return f"{self.serial.device if self.serial else f'{self.host}:{self.port}'} unit {self.unit}"


@dataclass(frozen=True, slots=True)
class OpcuaSettings:
    """How to reach and talk to one OPC UA server.

    Attributes:
        namespace: URI of the namespace all node ids of the station are in; its index is looked up at every open.
        timeout_s: real seconds any one request may take; an open, which needs about ten, may take four times as long.
        max_nodes_per_read: nodes in one Read, 1..10000.
        username, password: None = anonymous. ``password_file`` instead of a password: read at every open.
        channel_lifetime_s: asked of the server; the security token is renewed after three quarters of it.
        reading: ``scan`` reads all nodes at every scan; ``subscribe`` lets the server report what changes.
        publishing_s: real seconds between two reports, 0.05..10.
        queue_size: changes of one node the server keeps for a report, 2..1000. It is asked to look at the nodes a
            quarter as often as would fill the queue, so that a report may be late three times before one is lost.
        security: ``sign_and_encrypt`` is Basic256Sha256, and nothing less is ever taken in its place.
        certificate, private_key: ours, the key in a ``.pem`` file.
        server_certificate: the only one that is trusted; there is no trust on first use.
        application_uri: None = the one in our certificate, which servers hold it against.

    Raises:
        ConfigError: a number outside its range, or security settings that do not go together.
    """

    url: str
    namespace: str
    timeout_s: float = 1.0
    max_nodes_per_read: int = 500
    username: str | None = None
    password: str | None = None
    channel_lifetime_s: float = 3600.0
    reading: Literal["scan", "subscribe"] = "scan"
    publishing_s: float = 0.5
    queue_size: int = 20
    security: Literal["none", "sign_and_encrypt"] = "none"
    certificate: Path | None = None
    private_key: Path | None = None
    server_certificate: Path | None = None
    application_uri: str | None = None
    password_file: Path | None = None

    def __post_init__(self) -> None:
        _check("timeout_s", self.timeout_s, 0.001, 3600.0)
        _check("max_nodes_per_read", self.max_nodes_per_read, 1, 10_000)
        _check("channel_lifetime_s", self.channel_lifetime_s, 1.0, 86_400.0)
        if self.reading not in ("scan", "subscribe"):
            raise ConfigError(f"reading {self.reading!r} is not accepted (accepted: scan, subscribe)")
        _check("publishing_s", self.publishing_s, 0.05, 10.0)
        _check("queue_size", self.queue_size, 2, 1000)
        self._check_security()

    def _check_security(self) -> None:
        if self.security not in ("none", "sign_and_encrypt"):
            raise ConfigError(f"security {self.security!r} is not accepted (accepted: none, sign_and_encrypt)")
        for name in ("certificate", "private_key", "server_certificate", "application_uri"):
            given = getattr(self, name) is not None
            if self.security == "none" and given:
                raise ConfigError(f"{name} is given with security none (accepted: security sign_and_encrypt)")
            if self.security != "none" and not given and name != "application_uri":
                raise ConfigError(f"{name} is missing (accepted: a file, with security {self.security})")
        if self.private_key is not None and self.private_key.suffix != ".pem":
            raise ConfigError(f"private_key {self.private_key} is not accepted (accepted: a file ending in .pem)")
        if self.password is not None and self.password_file is not None:
            raise ConfigError("password_file is given beside password (accepted: one of them)")
        if self.username is None and (self.password is not None or self.password_file is not None):
            raise ConfigError("username is missing (accepted: a name, with its password or password_file)")


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigError(f"{name} {value} is not accepted (accepted: {low:g}..{high:g})")
