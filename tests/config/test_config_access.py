"""Access to an encrypted OPC UA server, as a line file names it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from linecontrol.config import check_paths, read_line, shipped_dir
from linecontrol.config.files import line_path
from linecontrol.line.links import link_for
from linecontrol.links.opcua import OpcuaLink

FILES = ("own.der", "own.pem", "server.der", "word")
SETTINGS = (
    "security: sign_and_encrypt, certificate: keys/own.der, private_key: keys/own.pem,"
    " server_certificate: keys/server.der, username: wang, password_file: keys/word"
)


@pytest.fixture
def line(tmp_path: Path) -> Path:
    """The demo line with an encrypted dryer, and its files."""
    line = shutil.copytree(shipped_dir(), tmp_path / "plc") / "lines" / "demo.yaml"
    text = line.read_text(encoding="utf-8")
    assert '14840/drying"}' in text
    text = text.replace('14840/drying"}', f'14840/drying", settings: {{{SETTINGS}}}}}')
    line.write_text(text, encoding="utf-8")
    (line.parent / "keys").mkdir()
    for name in FILES:
        (line.parent / "keys" / name).write_text("-", encoding="utf-8")
    return line


def test_files_are_found_beside_the_line_file(
    line: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(line.parent.parent)
    assert check_paths([line]) == []
    config = read_line(Path("lines/demo.yaml"))
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))  # the link still finds them
    drying, screening = config.stations["drying"], config.stations["screening"]
    keys = line.parent / "keys"
    access = drying.access
    assert (access.security, access.username) == ("sign_and_encrypt", "wang")
    assert [access.certificate, access.private_key, access.server_certificate, access.password_file] == [
        keys / name for name in FILES
    ]
    assert screening.access.security == "none"
    assert screening.reporting.reading == drying.reporting.reading == "scan"
    assert drying.fingerprint == read_line("demo").stations["drying"].fingerprint
    assert set(drying.brand.model_dump()) == set(read_line("demo").stations["drying"].brand.model_dump())
    link = link_for(drying)
    assert isinstance(link, OpcuaLink)
    settings = link._settings
    assert (settings.security, settings.username, settings.password) == ("sign_and_encrypt", "wang", None)
    assert [settings.certificate, settings.private_key, settings.server_certificate, settings.password_file] == [
        keys / name for name in FILES
    ]


@pytest.mark.parametrize(
    ("key", "name"),
    list(zip(("certificate", "private_key", "server_certificate", "password_file"), FILES, strict=True)),
)
def test_a_missing_file_is_told(key: str, name: str, line: Path) -> None:
    (line.parent / "keys" / name).unlink()
    (problem,) = check_paths([line])
    assert problem.key == f"stations.drying.settings.{key}"
    assert f"keys/{name} cannot be found: No such file" in problem.message
    assert problem.line == 8


def test_a_folder_is_no_certificate(line: Path) -> None:
    (line.parent / "keys" / "own.der").unlink()
    (line.parent / "keys" / "own.der").mkdir()
    (problem,) = check_paths([line])
    assert "is not a regular file" in problem.message


@pytest.mark.parametrize(
    ("left_out", "key", "said"),
    [
        (" server_certificate: keys/server.der,", "security", "needs server_certificate"),
        (" private_key: keys/own.pem,", "security", "needs private_key"),
        (" certificate: keys/own.der,", "security", "needs certificate"),
        (", password_file: keys/word", "username", "needs its password"),
        (" username: wang,", "password_file", "needs its user name"),
    ],
)
def test_what_belongs_together(left_out: str, key: str, said: str, line: Path) -> None:
    text = line.read_text(encoding="utf-8")
    assert left_out in text
    line.write_text(text.replace(left_out, ""), encoding="utf-8")
    (problem,) = check_paths([line])
    assert (problem.key, said in problem.message) == (f"stations.drying.settings.{key}", True)


def test_the_key_must_be_pem(line: Path) -> None:
    (line.parent / "keys" / "own.key").write_text("-", encoding="utf-8")
    text = line.read_text(encoding="utf-8")
    line.write_text(text.replace("keys/own.pem", "keys/own.key"), encoding="utf-8")
    (problem,) = check_paths([line])
    assert (problem.key, problem.accepted) == ("stations.drying.settings.private_key", "a file ending in .pem")


def test_a_station_that_reports(tmp_path: Path) -> None:
    text = line_path("demo").read_text(encoding="utf-8")
    path = tmp_path / "demo.yaml"
    for given, wanted in (("", (0.25, 20)), (", publishing_s: 0.2, queue_size: 50", (0.2, 50))):
        path.write_text(
            text.replace('14840/drying"', f'14840/drying", settings: {{reading: subscribe{given}}}'), encoding="utf-8"
        )
        link = link_for(read_line(path).stations["drying"])
        assert isinstance(link, OpcuaLink)
        settings = link._settings
        assert settings.reading == "subscribe"
        assert (settings.publishing_s, settings.queue_size) == wanted
