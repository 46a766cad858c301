"""Certificates of an encrypted OPC UA link: read and judged before every open, and the controller's own made.

Trust is by pinning: the server's certificate lies in a file beside the line file, and no other is taken, nor is any
fetched from the network. So no authority, no trust folder and no first use is believed.
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from linecontrol.core.errors import ConfigError, LinkDown
from linecontrol.links.settings import OpcuaSettings

LIFE_DAYS = 3650  # a line runs for years, and nobody is there to renew a certificate in the middle of a lot
CERTIFICATE_FILE, KEY_FILE = "linecontrol.der", "linecontrol-key.pem"

NOTICE_DAYS = 30  # before a certificate expires a person is told at every connect

_KEY_BITS = (2048, 4096)  # of Basic256Sha256, OPC 10000-7
_MAX_BYTES = 1 << 16
_REMEDY = "make a new one with `linecontrol certificate`"
_SERVER_REMEDY = "renew it at the server and copy it here"
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,62}[A-Za-z0-9_])?")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an encrypted open needs, judged: our certificate with its key, the pinned server's, our URI."""

    certificate: x509.Certificate
    private_key: rsa.RSAPrivateKey
    server_certificate: x509.Certificate
    application_uri: str

    @property
    def server_fingerprint(self) -> str:
        """SHA-256 [hex] of the pinned certificate."""
        return fingerprint(self.server_certificate.public_bytes(Encoding.DER))


@dataclass(frozen=True, slots=True)
class MadeCertificate:
    """A certificate just made, and where it lies."""

    certificate: Path
    private_key: Path
    application_uri: str
    fingerprint: str
    valid_until: datetime


def read_credentials(settings: OpcuaSettings, now: datetime) -> Credentials | None:
    """The certificates of these settings, read anew so that a replaced file needs no restart; None without security.

    Raises:
        LinkDown: a file cannot be read, is no certificate, has expired at ``now``, or does not fit its key.
    """
    if settings.security == "none":
        return None
    if settings.certificate is None or settings.private_key is None or settings.server_certificate is None:
        raise LinkDown(f"{settings.url}: {settings.security} needs three files")  # OpcuaSettings sees to that
    try:
        own = _certificate("certificate", settings.certificate)
        server = _certificate("server_certificate", settings.server_certificate)
        _check_dates("certificate", settings.certificate, own, now, _REMEDY)
        _check_dates("server_certificate", settings.server_certificate, server, now, _SERVER_REMEDY)
        key = _private_key(settings.private_key, own)
        uri = _application_uri(settings, own)
    except ValueError as error:
        raise LinkDown(f"{settings.url}: not connected: {error}") from error
    return Credentials(own, key, server, uri)


def expiry_notices(settings: OpcuaSettings, credentials: Credentials, now: datetime) -> list[str]:
    """A sentence for each certificate that is still good at ``now`` but not for another 30 days."""
    ends = (
        ("certificate", settings.certificate, credentials.certificate, _REMEDY),
        ("server_certificate", settings.server_certificate, credentials.server_certificate, _SERVER_REMEDY),
    )
    return [
        f"{field} {path} expires on {found.not_valid_after_utc:%Y-%m-%d}, in {(found.not_valid_after_utc - now).days}"
        f" days; {remedy}"
        for field, path, found, remedy in ends
        if found.not_valid_after_utc - now < timedelta(days=NOTICE_DAYS)
    ]


def read_password(settings: OpcuaSettings) -> str | None:
    """The password of the settings, or the first line of its file. Raises LinkDown when that cannot be had."""
    if settings.password_file is None:
        return settings.password
    try:
        text = _content("password_file", settings.password_file).decode("utf-8")
    except ValueError as error:  # of UTF-8 too; neither says what is in the file
        reason = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
        raise LinkDown(f"{settings.url}: not connected: {reason}") from None
    password = text.splitlines()[0] if text else ""
    if not password:
        raise LinkDown(
            f"{settings.url}: not connected: password_file {settings.password_file}: its first line is empty"
        )
    return password


def channel_advice(settings: OpcuaSettings, credentials: Credentials | None) -> str:
    """What to look at when the server takes no secure channel or session."""
    if credentials is None:
        return "; if the server takes encrypted connections only, set security: sign_and_encrypt"
    return (
        f"; the encrypted connection was not made, and no plain one is tried: the server must show the certificate in"
        f" server_certificate {settings.server_certificate} (SHA-256 {credentials.server_fingerprint}), trust ours"
        f" in {settings.certificate}, and offer Basic256Sha256 SignAndEncrypt"
    )


def user_advice(settings: OpcuaSettings) -> str:
    """What to look at when the server takes the channel but not the user."""
    if settings.username is None:
        return "; if the server takes no anonymous user, set username and password_file"
    file = f" and password_file {settings.password_file}" if settings.password_file else " and its password"
    return f"; the user was not taken: look at username {settings.username}{file}"


def make_certificate(folder: Path, host: str, now: datetime) -> MadeCertificate:
    """Make the controller's key and self-signed certificate, good for ten years from ``now``.

    Args:
        folder: made when missing; gets ``linecontrol.der`` and ``linecontrol-key.pem``, the key for its owner only.
        host: name or IPv4 address of this computer; becomes part of the application URI.

    Raises:
        ConfigError: a host that is none, or the folder holds a certificate or key already.
        OSError: the folder cannot be written.
    """
    if not _HOST.fullmatch(host):
        raise ConfigError(f"host {host!r} is not accepted (accepted: a host name of up to 64 letters, digits, . - _)")
    certificate, key_file = folder / CERTIFICATE_FILE, folder / KEY_FILE
    for path in (certificate, key_file):
        if path.exists():
            raise ConfigError(f"{path} is there already (accepted: another folder; servers trust the one you have)")
    uri = f"urn:{host}:linecontrol"
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    made = self_signed(key, uri, host, now - timedelta(days=1), now + timedelta(days=LIFE_DAYS))
    folder.mkdir(parents=True, exist_ok=True)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with open(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123
        file.write(pem)
    der = made.public_bytes(Encoding.DER)
    certificate.write_bytes(der)
    return MadeCertificate(certificate, key_file, uri, fingerprint(der), made.not_valid_after_utc)


def self_signed(key: rsa.RSAPrivateKey, uri: str, host: str, begins: datetime, ends: datetime) -> x509.Certificate:
    """An application instance certificate after OPC 10000-6, 6.2.2, valid from ``begins`` to ``ends``."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"linecontrol@{host}"[:64])])
    try:
        place: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        place = x509.DNSName(host)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=True,  # of itself
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    both = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]  # some servers ask for both
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), begins, ends)
    return (
        builder.add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri), place]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage(both), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(key, hashes.SHA256())
    )


def fingerprint(der: bytes) -> str:
    """SHA-256 [hex] of a certificate [DER]."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(der)
    return digest.finalize().hex()


# -- reading; a ValueError says field, file, what is wrong and what to do ----------------------------------------------


def _content(field: str, path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ValueError(f"{field} {path} cannot be read: {error.strerror}") from error
    if len(content) > _MAX_BYTES:
        raise ValueError(f"{field} {path} is larger than {_MAX_BYTES} bytes")
    return content


def _certificate(field: str, path: Path) -> x509.Certificate:
    content = _content(field, path)
    try:
        load = x509.load_pem_x509_certificate if b"-----BEGIN" in content else x509.load_der_x509_certificate
        found = load(content)
        key = found.public_key()
    except Exception as error:  # the parser raises more kinds than it tells of
        raise ValueError(f"{field} {path} is no certificate (accepted: X.509, DER or PEM)") from error
    if not isinstance(key, rsa.RSAPublicKey) or not _KEY_BITS[0] <= key.key_size <= _KEY_BITS[1]:
        raise ValueError(f"{field} {path} does not suit Basic256Sha256 (accepted: RSA of 2048 to 4096 bits)")
    return found


def _check_dates(field: str, path: Path, found: x509.Certificate, now: datetime, remedy: str) -> None:
    if now > found.not_valid_after_utc:
        raise ValueError(f"{field} {path} expired on {found.not_valid_after_utc:%Y-%m-%d}; {remedy}")
    if now < found.not_valid_before_utc:
        begins = f"{found.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        raise ValueError(
            f"{field} {path} is not valid before {begins}; look at the clock of this computer, or {remedy}"
        )


def _private_key(path: Path, own: x509.Certificate) -> rsa.RSAPrivateKey:
    content = _content("private_key", path)
    try:
        key = _parsed_key(content)
    except Exception as error:  # as above
        raise ValueError(f"private_key {path} is no key (accepted: PEM without a passphrase)") from error
    if not isinstance(key, rsa.RSAPrivateKey) or key.public_key() != own.public_key():
        raise ValueError(f"private_key {path} does not belong to the certificate (accepted: the key made with it)")
    return key


@lru_cache(maxsize=8)
def _parsed_key(content: bytes) -> PrivateKeyTypes:
    """Parsed once: checking a key stops every thread for 40 ms, and a server that is down is tried again and again."""
    return load_pem_private_key(content, None)


def _application_uri(settings: OpcuaSettings, own: x509.Certificate) -> str:
    """That of the certificate: a server turns a client away whose URI is another."""
    try:
        names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    except x509.ExtensionNotFound:
        uris = []
    if not uris:
        raise ValueError(f"certificate {settings.certificate} names no application URI; `linecontrol certificate` does")
    wanted = settings.application_uri or uris[0]
    if wanted not in uris:
        raise ValueError(f"application_uri {wanted} is not in the certificate (accepted: {', '.join(uris)})")
    return wanted


def utc_now() -> datetime:
    """The time certificates are judged by."""
    return datetime.now(UTC)
