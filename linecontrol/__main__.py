"""``python -m linecontrol``."""

from linecontrol.cli import main

main()
