#!/usr/bin/env python3
"""Set up and run the kudzu line controller: `python3 run.py demo`, `python3 run.py test`.

Only the standard library, and only syntax that an old Python can read, so that the version check can speak.
Uses uv where it is found; otherwise .venv is made by the standard library and filled by pip from the hashed lock.
"""

from __future__ import print_function

import hashlib
import os
import shutil
import subprocess
import sys

LOWEST = (3, 11)
ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
LOCK = os.path.join(ROOT, "requirements.lock")
STAMP = os.path.join(VENV, "installed-lock.sha256")

USAGE = """usage: python3 run.py COMMAND [OPTIONS]

  demo    run the simulated kudzu line: roots to powder, then the batch record
          (options go on, e.g.: python3 run.py demo --speed 120 --json)
  test    run the tests (options go to pytest)
  check   format, lint, types and import rules
  lock    make uv.lock and requirements.lock anew (needs uv)
  ...     anything else goes to `linecontrol`, e.g.: python3 run.py serve --line demo
"""


def say(text):
    print(text, file=sys.stderr)
    sys.stderr.flush()


def fail(*lines):
    say("")
    for line in lines:
        say(line)
    sys.exit(2)


def fitting_python():
    """Another interpreter on this machine that is new enough, or None."""
    for minor in (13, 12, 11):
        found = shutil.which("python3.%d" % minor)
        if found:
            return found
    return None


def check_python():
    if sys.version_info[:2] >= LOWEST:
        return
    better = fitting_python() if hasattr(shutil, "which") else None
    if better:
        os.execv(better, [better, os.path.abspath(__file__)] + sys.argv[1:])
    fail(
        "This needs Python %d.%d or newer; this is %d.%d (%s)." % (LOWEST + sys.version_info[:2] + (sys.executable,)),
        "Install one (Debian, Ubuntu: sudo apt install python3.11 python3.11-venv) and run it with python3.11 run.py",
    )


def environment():
    """Our environment without another one's paths, and with compiled files kept: a start takes a third less then."""
    env = dict(os.environ)
    for name in ("VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE"):
        env.pop(name, None)
    return env


def with_uv(uv):
    """Bring .venv up to date by uv. Returns the environment's Python."""
    first = not os.path.exists(VENV)
    if first:
        say("Setting up with uv (first time only) ...")
    command = [uv, "sync", "--frozen", "--python", sys.executable]
    if not first:
        command.append("--quiet")
    if subprocess.call(command, cwd=ROOT, env=environment()) != 0:
        fail(
            "uv could not install the packages (its own message is above).",
            "No network? Connect once, or see docs/install.md for an installation from a folder of wheels.",
            "To use pip instead: python3 run.py with UV=no in the environment.",
        )
    return venv_python()


def venv_python():
    return os.path.join(VENV, "Scripts", "python.exe") if os.name == "nt" else os.path.join(VENV, "bin", "python")


def lock_hash():
    digest = hashlib.sha256()
    for name in (LOCK, os.path.join(ROOT, "pyproject.toml")):
        with open(name, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def with_pip():
    """Bring .venv up to date by the standard library's venv and pip. Returns the environment's Python."""
    wanted = lock_hash()
    if os.path.exists(STAMP):
        with open(STAMP) as file:
            if file.read().strip() == wanted:
                return venv_python()
    say("Setting up in .venv with pip (first time only, about two minutes) ...")
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", VENV], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if made.returncode != 0:
        say(made.stdout.decode(errors="replace"))
        fail(
            "The virtual environment could not be made.",
            "On Debian and Ubuntu the venv module is a package of its own: sudo apt install python%d.%d-venv"
            % sys.version_info[:2],
        )
    python = venv_python()
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check"]
    pip_with_progress([*pip, "--require-hashes", "-r", LOCK])
    quiet = [*pip, "--quiet", "--no-deps", "--no-build-isolation", "--editable", ROOT]
    if subprocess.call(quiet, env=environment()) != 0:
        fail("linecontrol itself could not be installed into .venv (pip's message is above).")
    with open(STAMP, "w") as file:
        file.write(wanted)
    return python


def pip_with_progress(command):
    with open(LOCK) as file:
        total = sum(1 for line in file if "==" in line)
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment(), universal_newlines=True
    )
    seen, tail = 0, []
    for line in process.stdout:
        tail = tail[-30:] + [line.rstrip()]
        if line.startswith("Collecting "):
            seen += 1
            name = line.split()[1].split("==")[0]
            sys.stderr.write("\r  [%2d/%d] %-32s" % (seen, total, name))
            sys.stderr.flush()
        elif line.startswith("Installing collected"):
            sys.stderr.write("\r  installing %d packages %-24s" % (total, ""))
            sys.stderr.flush()
    sys.stderr.write("\n")
    if process.wait() != 0:
        text = "\n".join(tail)
        say(text)
        network = any(word in text for word in ("NewConnectionError", "Max retries", "resolve", "Network", "timed out"))
        fail(
            "The packages could not be downloaded: is this machine connected?"
            if network
            else "pip could not install the packages (its message is above).",
            "An installation without a network, from a folder of wheels, is in docs/install.md.",
        )


def prepared():
    uv = None if os.environ.get("UV", "").lower() == "no" else shutil.which("uv")
    return with_uv(uv) if uv else with_pip()


def call(command):
    """Run a child, let Ctrl-C reach it alone, and take over its exit code."""
    process = subprocess.Popen(command, cwd=os.getcwd(), env=environment())
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            pass  # the child got it too and stops in order; wait for it


def check(python):
    steps = (
        ("format", [python, "-m", "ruff", "format", "--check", "."]),
        ("lint", [python, "-m", "ruff", "check", "."]),
        ("types", [python, "-m", "mypy"]),
        ("import rules", [os.path.join(os.path.dirname(python), "lint-imports")]),
    )
    for name, command in steps:
        say("== %s" % name)
        if subprocess.call(command, cwd=ROOT, env=environment()) != 0:
            say("The %s check found something (above)." % name)
            return 1
    return 0


def lock():
    uv = shutil.which("uv")
    if not uv:
        fail("`run.py lock` needs uv: https://docs.astral.sh/uv")
    env = environment()
    for name in ("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX"):
        env.pop(name, None)
    subprocess.check_call([uv, "lock"], cwd=ROOT, env=env)
    export = [uv, "export", "--frozen", "--all-groups", "--no-emit-project", "--no-header", "--quiet", "-o", LOCK]
    subprocess.check_call(export, cwd=ROOT, env=env)
    return 0


def side_by_side():
    """Options that share the whole suite out, file by file; chosen tests run one after the other.

    One process more than there are processors, for many tests wait. The order of the files is tests/conftest.py's.
    """
    return ["-n", str(min(4, (os.cpu_count() or 1) + 1)), "--dist", "loadfile", "--no-loadscope-reorder"]


def main():
    check_python()
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if arguments else 2
    command, rest = arguments[0], arguments[1:]
    if command == "lock":
        return lock()
    python = prepared()
    if command == "test":
        os.chdir(ROOT)
        return call([python, "-m", "pytest", *(rest or side_by_side())])
    if command == "check":
        return check(python)
    return call([python, "-m", "linecontrol", command, *rest])


if __name__ == "__main__":
    sys.exit(main())
