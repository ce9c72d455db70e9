"""The command line; a service that has its settings starts without loading it."""

import gc
import os
import sys

from operate.places import SERVICES

HELD = "--held"
"""Everything is imported, and then one line is awaited: the servers are there."""
name, *held = sys.argv[2:4] or [""]
if (
    sys.argv[1:2] == ["run"]
    and name in SERVICES
    and held in ([], [HELD])
    and "DATABASE_URL" in os.environ
):
    gc.disable()  # a fifth of the time, and nothing that is imported goes again
    from shared.host import load, run

    load(name)
    if held and not sys.stdin.readline():
        sys.exit()
    run(name)
else:
    from operate.cli import main

    main()
