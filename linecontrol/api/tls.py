"""TLS of the API: what uvicorn is told, and a certificate of our own where there is none."""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from linecontrol.api.door import Tls
from linecontrol.core.errors import ConfigError

LIFE_DAYS = 825  # browsers take none that is good for longer
RENEW_DAYS = 30
CERTIFICATE, KEY = "tls-certificate.pem", "tls-key.pem"


def tls_options(tls: Tls | None) -> dict[str, Any]:
    """Options for uvicorn: TLS 1.2 or newer."""
    if tls is None:
        return {}

    def strict(_config: Any, make: Any) -> ssl.SSLContext:
        context: ssl.SSLContext = make()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    return {
        "ssl_certfile": str(tls.certificate),
        "ssl_keyfile": str(tls.private_key),
        "ssl_context_factory": strict,
    }


def check(tls: Tls) -> Tls:
    """The same, or ConfigError when the two files cannot be used together or the certificate has expired."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(tls.certificate, tls.private_key, password=lambda: "")
        found = x509.load_pem_x509_certificate(tls.certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"--tls-cert {tls.certificate} with --tls-key {tls.private_key}: cannot be used: {error} "
            "(accepted: a PEM certificate chain and its PEM key without a password)"
        ) from error
    if found.not_valid_after_utc < datetime.now(UTC):
        raise ConfigError(f"--tls-cert {tls.certificate}: it expired on {found.not_valid_after_utc:%Y-%m-%d}")
    return tls


def self_made(folder: Path, names: Iterable[str], now: datetime) -> Tls:
    """Our own certificate in ``folder``: the one there, or a new one when it ends soon or lacks a name.

    Raises OSError.
    """
    wanted = {socket.gethostname().lower(), "localhost", "127.0.0.1", "::1", *(name.lower() for name in names)}
    tls = Tls(folder / CERTIFICATE, folder / KEY)
    if tls.certificate.exists() and tls.private_key.exists() and _is_good(tls.certificate, wanted, now):
        return tls
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, socket.gethostname()[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=LIFE_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general(one) for one in sorted(wanted)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    tls.private_key.unlink(missing_ok=True)
    fd = os.open(tls.private_key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(pem)
    tls.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    return tls


def fingerprint(certificate: Path) -> str:
    """SHA-256 as browsers show it."""
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    return found.fingerprint(hashes.SHA256()).hex(":").upper()


def _is_good(path: Path, wanted: set[str], now: datetime) -> bool:
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    has = {str(name.value).lower() for name in names}
    return wanted <= has and found.not_valid_after_utc > now + timedelta(days=RENEW_DAYS)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.encode("idna").decode() if not name.isascii() else name)
