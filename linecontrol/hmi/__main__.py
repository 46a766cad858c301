"""`python -m linecontrol.hmi`: the display as a process of its own. `linecontrol display` starts it.

Says ``READY http://…`` on its standard output when browsers may come.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def main() -> None:
    """Read the command line and serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m linecontrol.hmi", description=__doc__)
    parser.add_argument("--api", required=True, help="address of the line's API, e.g. http://127.0.0.1:8470")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at")
    parser.add_argument("--port", type=int, default=8480, help="port to listen at; a free one when it is taken")
    parser.add_argument("--access", type=Path, help="where the controller keeps what it tells this computer's programs")
    parser.add_argument(
        "--api-certificate", type=Path, help="what the API shows over TLS; default: as everybody trusts"
    )
    parser.add_argument("--tls-cert", type=Path, help="the display's own TLS certificate chain, PEM")
    parser.add_argument("--tls-key", type=Path, help="its key, PEM")
    parser.add_argument("--name", action="append", default=[], help="host name it may be asked for by; repeatable")
    parser.add_argument("--must-have-port", action="store_true", help="end when the port is taken")
    parser.add_argument("--data", type=Path, required=True, help="folder for the display's own files")
    parser.add_argument("--exit-with-parent", action="store_true", help="end when standard input closes")
    wish = parser.parse_args()
    os.umask(0o077)  # tokens lie in its files
    folder: Path = wish.data.resolve()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.environ["NICEGUI_STORAGE_PATH"] = str(folder / "browsers")  # read when NiceGUI is imported

    from linecontrol.hmi.client import Api
    from linecontrol.hmi.serve import Listening, serve

    api = Api(wish.api.rstrip("/"), wish.access, wish.api_certificate)
    at = Listening(wish.host, wish.port, wish.must_have_port, wish.tls_cert, wish.tls_key, tuple(wish.name))
    serve(api, folder, at, with_parent=wish.exit_with_parent)


if __name__ == "__main__":
    main()
