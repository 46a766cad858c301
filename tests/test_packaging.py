"""What a user installs: lock files, the wheel, the two commands' script."""

import ast
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent
PUBLIC = {"https://pypi.org", "https://files.pythonhosted.org"}


def test_lock_files_name_no_host_but_the_public_one() -> None:
    text = (ROOT / "uv.lock").read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^/\"' ]+", text)) <= PUBLIC
    requirements = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for content in (text, requirements):
        assert "file://" not in content
        assert not re.search(r"(?m)^\s*(path|url) = \"/", content)
    assert "://" not in requirements
    assert requirements.count("--hash=sha256:") > 300


def test_both_locks_pin_the_same_versions() -> None:
    locked = {(p["name"], p["version"]) for p in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
    exported = set(re.findall(r"(?m)^([A-Za-z0-9_.-]+)==([^ ;\\]+)", (ROOT / "requirements.lock").read_text()))
    assert {name for name, _ in exported} >= {"pymodbus", "asyncua", "fastapi", "sqlalchemy"}
    assert exported <= locked


def test_run_py_can_be_read_by_an_old_python() -> None:
    ast.parse((ROOT / "run.py").read_text(encoding="utf-8"), feature_version=(3, 6))


def test_run_py_explains_itself() -> None:
    done = subprocess.run([sys.executable, ROOT / "run.py", "--help"], capture_output=True, text=True, check=True)
    assert "demo" in done.stdout
    assert "test" in done.stdout


def test_no_path_or_host_of_a_workplace_in_the_repository() -> None:
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=False, cwd=ROOT).stdout.split()
    for name in listed:
        path = ROOT / name
        if path.suffix in {".lock", ".svg", ".png"} or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        assert not re.search(r"/(home|root|work)/[a-z]", text), name


@pytest.mark.timeout(300)
def test_an_installed_wheel_runs_the_demo_in_an_empty_folder(tmp_path: Path) -> None:
    """Installed with --no-deps beside this environment's packages, so nothing is downloaded."""
    wheel = build_wheel(tmp_path / "dist")
    names = ZipFile(wheel).namelist()
    for wanted in (
        "linecontrol/_data/plc_profiles/lines/demo.yaml",
        "linecontrol/_data/plc_profiles/lines/demo.accepted.json",
        "linecontrol/_data/recipes/kudzu-lobata-standard.yaml",
        "linecontrol/history/migrations/env.py",
        "simulator/data/parameters.yaml",
        "linecontrol/py.typed",
    ):
        assert wanted in names, wanted
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    site = next((home / "lib").glob("python3.*")) / "site-packages"
    with ZipFile(wheel) as archive:
        archive.extractall(site)
    own = Path(ast.__file__).parent / "site-packages"
    here = [path for path in sys.path if path.endswith("site-packages")] or [str(own)]
    (site / "others.pth").write_text("\n".join(here))
    empty = tmp_path / "empty"
    empty.mkdir()
    command = [home / "bin" / "python", "-P", "-m", "linecontrol"]
    where = [home / "bin" / "python", "-P", "-c", "import linecontrol; print(linecontrol.__file__)"]
    assert str(site) in subprocess.run(where, capture_output=True, text=True, check=True, cwd=empty).stdout
    checked = subprocess.run([*command, "check"], capture_output=True, text=True, cwd=empty, check=False, timeout=60)
    assert checked.returncode == 0, checked.stdout
    more = ["demo", "--speed", "200", "--json", "--data", tmp_path / "data"]
    for value in ("root_kg=50", "warm_up_per_min=40", "start_level=4"):
        more += ["--set", value]
    done = subprocess.run([*command, *more], capture_output=True, text=True, cwd=empty, check=False, timeout=250)
    assert done.returncode == 0, done.stderr
    assert '"state": "Complete"' in done.stdout
    assert list(empty.iterdir()) == []


def build_wheel(folder: Path) -> Path:
    code = "import sys, hatchling.build as b; print(b.build_wheel(sys.argv[1]))"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code, folder], capture_output=True, text=True, cwd=ROOT, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.split()[-1]
