"""The encrypted OPC UA link: a real server with certificates made here, and everything that must be turned away."""

from __future__ import annotations

import asyncio
import logging
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asyncua import Server, ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from link_bench import open_files, quiet_loop, tag
from link_server import free_port

from linecontrol.core.errors import ConfigError, DeviceRefused, LinkDown, LinkError
from linecontrol.core.model import Status
from linecontrol.links.certificates import expiry_notices, make_certificate, read_credentials, self_signed
from linecontrol.links.opcua import OpcuaLink
from linecontrol.links.settings import OpcuaSettings
from simulator.opcua_mends import fill

NAMESPACE = "urn:security:test"
SERVER_URI = "urn:security:test:server"
NOW = datetime.now(UTC)
PASSWORD = "a word of 字"  # made up here
SECURE = [ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt]
OPEN = [ua.SecurityPolicyType.NoSecurity]
PLAIN: dict[str, Any] = dict.fromkeys(("certificate", "private_key", "server_certificate")) | {"security": "none"}


@dataclass(frozen=True)
class Papers:
    """Files of one server certificate."""

    certificate: Path
    key: Path


class Users:
    """One user; nobody else."""

    def get_user(
        self, iserver: Any, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> User | None:
        return User(role=UserRole.User) if (username, password) == ("kudzu", PASSWORD) else None


def write_papers(folder: Path, name: str, begins_days: int = -1, ends_days: int = 10) -> Papers:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    begins, ends = (NOW + timedelta(days=days) for days in (begins_days, ends_days))
    papers = Papers(folder / f"{name}.der", folder / f"{name}-key.pem")
    papers.certificate.write_bytes(self_signed(key, SERVER_URI, "localhost", begins, ends).public_bytes(Encoding.DER))
    papers.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return papers


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ours (twice), the server's, another server's, and two out of their time."""
    path = tmp_path_factory.mktemp("papers")
    make_certificate(path / "ours", "controller", NOW)
    make_certificate(path / "strange", "stranger", NOW)
    write_papers(path, "server")
    write_papers(path, "other")
    write_papers(path, "expired", -20, -1)
    write_papers(path, "early", 5, 10)
    return path


@asynccontextmanager
async def served(
    folder: Path, name: str = "server", policies: list[Any] | None = None, users: Users | None = None
) -> AsyncIterator[Server]:
    """A server with that certificate; it trusts ``ours`` and nobody else."""
    server = Server(user_manager=users)
    await fill(server)
    server.set_endpoint(f"opc.tcp://127.0.0.1:{free_port()}/")
    await server.set_application_uri(SERVER_URI)
    server.set_security_policy(policies or SECURE)
    if users is not None:
        server.set_identity_tokens([ua.UserNameIdentityToken])
    await server.load_certificate(folder / f"{name}.der")
    await server.load_private_key(folder / f"{name}-key.pem")
    ours = x509.load_der_x509_certificate((folder / "ours" / "linecontrol.der").read_bytes())

    async def trusts(certificate: x509.Certificate, _: ua.ApplicationDescription) -> None:
        if certificate != ours:
            raise ServiceError(ua.StatusCodes.BadCertificateUntrusted)

    server.set_certificate_validator(trusts)
    index = await server.register_namespace(NAMESPACE)
    node = await server.nodes.objects.add_variable(ua.NodeId("T", index), "T", 12.5, ua.VariantType.Double)
    await node.set_writable()
    async with server:
        yield server


@pytest.fixture(autouse=True)
async def _quiet() -> AsyncIterator[None]:
    logging.getLogger("asyncua.server").setLevel(logging.CRITICAL + 1)
    before = open_files()
    async with quiet_loop():
        yield
    assert open_files() <= before


@pytest.fixture
def settings_for(folder: Path) -> Callable[..., OpcuaSettings]:
    def made(server: Server, **changed: Any) -> OpcuaSettings:
        given: dict[str, Any] = {
            "security": "sign_and_encrypt",
            "certificate": folder / "ours" / "linecontrol.der",
            "private_key": folder / "ours" / "linecontrol-key.pem",
            "server_certificate": folder / "server.der",
        }
        return OpcuaSettings(server.endpoint.geturl(), NAMESPACE, timeout_s=2.0, **{**given, **changed})

    return made


def link_to(settings: OpcuaSettings) -> OpcuaLink:
    return OpcuaLink(settings, [tag("T", "float64", "s=T", writable=True)])


Make = Callable[..., OpcuaSettings]


async def test_reads_and_writes_encrypted(folder: Path, settings_for: Make) -> None:
    async with served(folder) as server:
        link = link_to(settings_for(server))
        await link.open()
        assert link._session is not None
        policy = link._session.client.uaclient.security_policy
        assert (policy.URI.rpartition("#")[2], policy.Mode.name) == ("Basic256Sha256", "SignAndEncrypt")
        await link.write("T", 3.25)
        reading = (await link.read())["T"]
        assert (reading.value, reading.status) == (3.25, Status.GOOD)
        await link.close()
        await link.open()  # the certificates are read anew
        assert (await link.read())["T"].value == 3.25
        await link.close()


async def test_a_certificate_that_expires_soon_is_noticed_at_every_connect(folder: Path, settings_for: Make) -> None:
    async with served(folder) as server:
        link = link_to(settings_for(server))
        assert list(link.notices) == []
        for _ in range(2):
            await link.open()
            (notice,) = link.notices
            ends = NOW + timedelta(days=10)
            assert notice.startswith(f"server_certificate {folder}/server.der expires on {ends:%Y-%m-%d}, in 9 days")
            assert "renew it at the server" in notice
        await link.close()


def test_thirty_days_before_its_end_a_certificate_is_told_of(folder: Path) -> None:
    settings = settings_for_url(folder, server_certificate=folder / "ours" / "linecontrol.der")
    ends = NOW + timedelta(days=3650)
    credentials = read_credentials(settings, NOW)
    assert credentials is not None
    assert expiry_notices(settings, credentials, ends - timedelta(days=30, minutes=1)) == []
    told = expiry_notices(settings, credentials, ends - timedelta(days=29, hours=1))
    assert [text.split()[0] for text in told] == ["certificate", "server_certificate"]
    assert all("in 29 days" in text for text in told)
    assert "`linecontrol certificate`" in told[0]


async def test_the_token_is_renewed_under_encryption(folder: Path, settings_for: Make) -> None:
    async with served(folder) as server:
        link = link_to(settings_for(server))
        await link.open()
        tokens = set()
        for _ in range(4):
            assert (await link.read())["T"].status is Status.GOOD
            assert link._session is not None
            assert link._session.client.uaclient.protocol is not None
            tokens.add(link._session.client.uaclient.protocol._connection.security_token.TokenId)
            link._session._renew_at = 0.0
        assert len(tokens) == 4
        assert link.counters.connects == 1
        await link.close()


async def test_a_server_that_only_speaks_plainly_is_refused(folder: Path, settings_for: Make) -> None:
    async with served(folder, policies=OPEN) as server:
        link = link_to(settings_for(server))
        with pytest.raises(LinkError, match=r"no plain one is tried: .*offer Basic256Sha256 SignAndEncrypt"):
            await link.open()
        with pytest.raises(LinkDown, match="not connected"):
            await link.read()
        plain = link_to(settings_for(server, **PLAIN))
        await plain.open()  # so it was not the server that was down
        await plain.close()


async def test_a_plain_link_does_not_get_into_an_encrypted_server(folder: Path, settings_for: Make) -> None:
    async with served(folder) as server:
        with pytest.raises(LinkDown, match="set security: sign_and_encrypt"):
            await link_to(settings_for(server, **PLAIN)).open()


async def test_a_server_with_another_certificate_is_refused(folder: Path, settings_for: Make) -> None:
    pinned = read_credentials(settings_for_url(folder), NOW)
    assert pinned is not None
    async with served(folder, "other") as server:
        with pytest.raises(LinkError, match=r"server\.der \(SHA-256 " + pinned.server_fingerprint):
            await link_to(settings_for(server)).open()


def settings_for_url(folder: Path, **changed: Any) -> OpcuaSettings:
    ours = folder / "ours"
    settings = OpcuaSettings(
        "opc.tcp://127.0.0.1:1/",
        NAMESPACE,
        security="sign_and_encrypt",
        certificate=ours / "linecontrol.der",
        private_key=ours / "linecontrol-key.pem",
        server_certificate=folder / "server.der",
    )
    return replace(settings, **changed)


async def test_a_server_that_does_not_trust_us_is_told_of(folder: Path, settings_for: Make) -> None:
    strange = folder / "strange"
    async with served(folder) as server:
        settings = settings_for(
            server, certificate=strange / "linecontrol.der", private_key=strange / "linecontrol-key.pem"
        )
        with pytest.raises(LinkError, match=r"trust ours in .*strange"):
            await link_to(settings).open()


@pytest.mark.parametrize(("name", "said"), [("expired", "expired on .*renew it"), ("early", "is not valid before")])
async def test_a_server_certificate_out_of_its_time_is_refused(name: str, said: str, folder: Path) -> None:
    """Before a single byte goes to the server."""
    visitors = 0

    def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal visitors
        visitors += 1
        writer.close()

    async with await asyncio.start_server(visited, "127.0.0.1", 0) as server:
        url = f"opc.tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        settings = settings_for_url(folder, url=url, server_certificate=folder / f"{name}.der")
        with pytest.raises(LinkDown, match=f"server_certificate .*{name}.der {said}"):
            await link_to(settings).open()
        assert visitors == 0
        with pytest.raises(LinkDown):
            await link_to(replace(settings, server_certificate=folder / "server.der")).open()
        assert visitors == 1


async def test_our_own_expired_certificate_is_told_of(folder: Path) -> None:
    with pytest.raises(LinkDown, match=r"certificate .*linecontrol.der expired on .*`linecontrol certificate`"):
        read_credentials(settings_for_url(folder), NOW + timedelta(days=3651))


async def test_user_and_password(folder: Path, settings_for: Make, tmp_path: Path) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text(PASSWORD + "\n", encoding="utf-8")
    wrong.write_text("something else\n", encoding="utf-8")
    async with served(folder, users=Users()) as server:
        link = link_to(settings_for(server, username="kudzu", password_file=right))
        await link.open()
        assert (await link.read())["T"].value == 12.5
        await link.close()
        with pytest.raises(DeviceRefused, match=r"look at username kudzu and password_file .*wrong") as refused:
            await link_to(settings_for(server, username="kudzu", password_file=wrong)).open()
        assert "something else" not in str(refused.value)
        with pytest.raises(LinkError, match="set username and password_file"):
            await link_to(settings_for(server)).open()


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot be read"), ("\nword\n", "first line is empty"), (b"\xff\xfe", "not UTF-8")]
)
async def test_a_password_file_that_is_none(content: Any, said: str, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "word"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    link = link_to(settings_for_url(folder, username="kudzu", password_file=path))
    with pytest.raises(LinkDown, match=said):
        await link.open()


@pytest.mark.parametrize("field", ["certificate", "private_key", "server_certificate"])
@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\n", b"\x30\x82" * 999, b"x" * 70_000])
def test_files_that_are_none(field: str, content: bytes | None, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "some.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LinkDown, match=f"{field} {path} (is no|is larger|cannot be read: No such file)"):
        read_credentials(settings_for_url(folder, **{field: path}), NOW)


def test_a_key_of_another_certificate(folder: Path) -> None:
    settings = settings_for_url(folder, private_key=folder / "strange" / "linecontrol-key.pem")
    with pytest.raises(LinkDown, match="does not belong to the certificate"):
        read_credentials(settings, NOW)


def test_certificates_may_be_pem_too(folder: Path, tmp_path: Path) -> None:
    der = (folder / "server.der").read_bytes()
    path = tmp_path / "server.pem"
    path.write_bytes(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
    credentials = read_credentials(settings_for_url(folder, server_certificate=path), NOW)
    assert credentials is not None
    assert credentials.server_certificate.public_bytes(Encoding.DER) == der
    assert credentials.application_uri == "urn:controller:linecontrol"


def test_the_application_uri_must_be_in_the_certificate(folder: Path) -> None:
    with pytest.raises(LinkDown, match="accepted: urn:controller:linecontrol"):
        read_credentials(settings_for_url(folder, application_uri="urn:else"), NOW)


def test_the_made_certificate(folder: Path, tmp_path: Path) -> None:
    made = make_certificate(tmp_path / "new", "10.0.0.7", NOW)
    assert stat.S_IMODE(made.private_key.stat().st_mode) == 0o600
    assert made.valid_until - NOW.replace(microsecond=0) >= timedelta(days=3649)
    found = x509.load_der_x509_certificate(made.certificate.read_bytes())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["urn:10.0.0.7:linecontrol"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.7"]
    with pytest.raises(ConfigError, match="is there already"):
        make_certificate(tmp_path / "new", "10.0.0.7", NOW)
    with pytest.raises(ConfigError, match="host 'a b' is not accepted"):
        make_certificate(tmp_path / "newer", "a b", NOW)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"security": "sign"}, "security 'sign' .*accepted: none, sign_and_encrypt"),
        ({"certificate": None}, "^certificate is missing"),
        ({"private_key": None}, "private_key is missing"),
        ({"server_certificate": None}, "server_certificate is missing"),
        ({"private_key": Path("key.der")}, "private_key key.der .*accepted: a file ending in .pem"),
        ({"security": "none"}, "certificate is given with security none"),
        ({"password_file": Path("word")}, "username is missing"),
        ({"username": "a", "password": "b", "password_file": Path("word")}, "beside password"),
    ],
)
def test_settings_that_do_not_go_together(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        settings_for_url(Path(), **changed)
