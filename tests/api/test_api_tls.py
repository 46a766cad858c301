"""Headers, TLS, the API's own pages, slow and large requests, strange paths."""

from __future__ import annotations

import asyncio
import ssl
import stat
import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from access_rig import PASSWORD, site
from cryptography import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linecontrol.api.connections import CONNECTIONS
from linecontrol.api.door import Door, Tls
from linecontrol.api.matching import match
from linecontrol.api.rights import Right
from linecontrol.api.tls import check, self_made
from linecontrol.core.errors import ConfigError
from linecontrol.hmi.client import Api, ApiGone, Session
from linecontrol.hmi.feed import Feed
from linecontrol.hmi.live import Live

NOW = datetime.now(UTC)


async def test_every_answer_keeps_browsers_strict(tmp_path: Path) -> None:
    """S35, on answers of every kind."""
    async with site(tmp_path) as here:
        for client, path in (
            (here.console, "/tags"),
            (here.console, "/nothing"),
            (here.console, "/docs"),
            (here.anonymous, "/tags"),
            (here.anonymous, "/welcome"),
        ):
            headers = (await client.get(path)).headers
            csp = headers["content-security-policy"]
            assert "default-src 'none'" in csp
            assert "frame-ancestors 'none'" in csp
            assert "unsafe" not in csp
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["cache-control"] == "no-store"
            assert "strict-transport-security" not in headers  # in clear it would mean nothing
            assert "server" not in headers


async def test_the_apis_own_pages_are_behind_the_log_in(tmp_path: Path) -> None:
    """S34."""
    async with site(tmp_path) as here:
        for path in ("/docs", "/docs/start.js", "/docs/swagger-ui.css", "/openapi.json", "/redoc", "/metrics"):
            assert (await here.anonymous.get(path)).status_code == 401, path
        page = await here.console.get("/docs")
        assert page.status_code == 200
        assert "<script>" not in page.text  # nothing inline: the browser is told to run none
        for file in ("start.js", "swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
            assert f"/docs/{file}" in page.text
            assert (await here.console.get(f"/docs/{file}")).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/docs/../../../etc/passwd",
        "/docs/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/docs/..%2f__init__.py",
        "/docs/%00",
        "/docs//etc/passwd",
        "/recipes/..%2f..%2fpyproject.toml",
        "/recipes/%2e%2e",
        "/runs/..%2f..%2fhistory.sqlite3",
        "/runs/%00",
        "/tags/..%5c..%5cx",
    ],
)
async def test_no_path_leads_to_a_file(path: str, tmp_path: Path) -> None:
    """S15."""
    async with site(tmp_path) as here:
        answer = await here.console.get(path)
        assert answer.status_code in (404, 409), path
        assert "root:" not in answer.text
        assert "[project]" not in answer.text


async def test_over_tls(tmp_path: Path) -> None:
    """S35: TLS 1.2 or newer, HSTS, a cookie that stays on TLS; a key that nobody else can read."""
    tls = self_made(tmp_path / "access", ["mill.local", "10.0.0.7"], NOW)
    assert stat.S_IMODE(tls.private_key.stat().st_mode) == 0o600
    async with site(tmp_path, tls=tls, is_open=True, names=["mill.local"]) as here:
        await here.console.post("/users", json={"name": "li", "role": "operator", "password": PASSWORD})
        trusting = ssl.create_default_context(cafile=str(tls.certificate))
        async with httpx.AsyncClient(base_url=here.url, verify=trusting, trust_env=False, timeout=30) as client:
            answer = await client.post("/session", json={"user": "li", "password": PASSWORD})
            assert answer.status_code == 201
            cookie = answer.headers["set-cookie"]
            assert cookie.startswith("__Host-linecontrol_session=")
            assert all(word in cookie for word in ("HttpOnly", "SameSite=strict", "Secure", "Path=/"))
            assert "max-age=" in answer.headers["strict-transport-security"]
            for host, status in (("mill.local", 401), ("10.0.0.7:8470", 401), ("evil.example", 403)):
                assert (await client.get("/tags", headers={"Host": host, "Cookie": ""})).status_code == status
        await the_display_reads(here.url, tls.certificate)
        port = int(here.url.rpartition(":")[2])
        for version, is_taken in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)):
            old = ssl.create_default_context(cafile=str(tls.certificate))
            old.set_ciphers("DEFAULT:@SECLEVEL=0")
            with nullcontext() if is_taken else pytest.warns(DeprecationWarning, match="deprecated"):
                old.minimum_version = old.maximum_version = version
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=old)
            except (ssl.SSLError, OSError):
                assert not is_taken
            else:
                assert is_taken
                writer.close()


async def the_display_reads(url: str, certificate: Path) -> None:
    """The display beside it: somebody logs in, and live values come over TLS; another's certificate is not believed."""
    api, live, session = Api(url, certificate=certificate), Live(), Session()
    await api.log_in(session, "li", PASSWORD)
    feed = asyncio.ensure_future(Feed(api, live, lambda: session, lambda _told: None).run())
    try:
        async with asyncio.timeout(30):
            while not live.is_up(time.monotonic()):
                await asyncio.sleep(0.01)
        assert "TT-303" in live.tags
    finally:
        feed.cancel()
        await asyncio.gather(feed, return_exceptions=True)
        await api.close()
    stranger = Api(url, certificate=self_made(certificate.parent / "other", [], NOW).certificate)
    try:
        with pytest.raises(ApiGone, match="CERTIFICATE"):
            await stranger.get("/session")
    finally:
        await stranger.close()


def test_our_own_certificate_is_kept_until_it_must_be_renewed(tmp_path: Path) -> None:
    first = self_made(tmp_path, ["mill.local"], NOW)
    before = first.certificate.read_bytes()
    found = x509.load_pem_x509_certificate(before)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"mill.local", "localhost"} <= set(names.get_values_for_type(x509.DNSName))
    assert self_made(tmp_path, ["mill.local"], NOW).certificate.read_bytes() == before
    assert self_made(tmp_path, ["other.local"], NOW).certificate.read_bytes() != before
    again = self_made(tmp_path, ["other.local"], NOW).certificate.read_bytes()
    assert self_made(tmp_path, ["other.local"], NOW + timedelta(days=800)).certificate.read_bytes() != again


def test_a_certificate_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    one, other = self_made(tmp_path / "a", [], NOW), self_made(tmp_path / "b", [], NOW)
    assert check(one) == one
    for certificate, key in (
        (one.certificate, other.private_key),
        (tmp_path / "none.pem", one.private_key),
        (one.private_key, one.private_key),
    ):
        with pytest.raises(ConfigError, match="accepted: a PEM certificate"):
            check(Tls(certificate, key))
    old = self_made(tmp_path / "c", [], NOW - timedelta(days=3000))
    with pytest.raises(ConfigError, match="it expired on"):
        check(old)


async def test_clients_that_never_ask_push_nobody_out(tmp_path: Path) -> None:
    """S19: two hundred half-open sockets, and more: who asks is answered, and quickly."""
    async with site(tmp_path) as here:
        port = int(here.url.rpartition(":")[2])
        sockets = []
        for n in range(CONNECTIONS + 50):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /tags HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: " if n % 2 else b"")
            sockets.append((reader, writer))
        took = []
        for _ in range(100):
            start = time.perf_counter()
            async with httpx.AsyncClient(base_url=here.url, headers=here.console.headers, trust_env=False) as client:
                assert (await client.get("/tags")).status_code == 200
            took.append(time.perf_counter() - start)
        print(f"beside {len(sockets)} that never ask: half within {sorted(took)[50]:.3f} s, slowest {max(took):.3f} s")
        # none of them is kept for ever
        for reader, writer in sockets:
            async with asyncio.timeout(10.0):
                await reader.read()
            writer.close()


async def test_deep_and_strange_bodies_are_answered(tmp_path: Path) -> None:
    """S16: 4xx, whatever it is; the client's time-out bounds how long it may take."""
    async with site(tmp_path) as here:
        for content in (
            b"[" * 60_000,
            b'{"a":' * 10_000,
            b"\xff\xfe",
            b"{" + b'"x":1,' * 9_000,
            b'{"tag": "\\ud800", "value": 1}',
            b'{"tag": "TT-303", "value": 1e999}',
            b'{"tag": "TT-303", "value": ' + b"9" * 5_000 + b"}",
            b"null",
        ):
            answer = await here.console.post("/commands", content=content, headers={"Content-Type": "application/json"})
            assert 400 <= answer.status_code < 500, (content[:30], answer.status_code)
        rows = await here.audit(action="POST /commands")
        assert len(rows) == 8


PAYLOADS = ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "' OR 1=1 --", "=cmd|'/c calc'!A1", "{{7*7}}"]


async def test_what_is_typed_stays_text(tmp_path: Path) -> None:
    """S12, S14: names and reasons come back as they are, as JSON that no browser takes for a page."""
    async with site(tmp_path) as here:
        for text in PAYLOADS:
            refused = await here.console.post("/users", json={"name": text, "role": "operator", "password": PASSWORD})
            assert refused.status_code == 422
            answer = await here.console.post("/commands", json={"tag": text, "value": 1, "reason": text})
            assert answer.headers["content-type"] == "application/problem+json"
            row = (await here.audit(action="POST /commands"))[0]
            assert row["why"] == text
            for name in ("who", "action"):
                assert await here.audit(**{name: text}) == []
            listing = await here.console.get("/audit")
            assert listing.headers["content-type"] == "application/json"
        assert (await here.console.get("/users")).status_code == 200


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.text(max_size=60).map(lambda text: f"/{text}"), method=st.sampled_from(["GET", "POST", "DELETE"]))
def test_a_strange_path_is_nobodys_or_a_plain_rows(path: str, method: str) -> None:
    """No spelling of a path reaches a public row but the row's own."""
    found = match(method, path)
    if found.right is Right.PUBLIC:
        assert f"{method} {path}" == found.route


@given(host=st.text(max_size=80))
def test_no_strange_host_is_ones_own(host: str) -> None:
    door = Door("c")
    if door.is_own_host(host):
        assert any(name in host.lower() for name in ("127.0.0.1", "localhost", "::1"))
