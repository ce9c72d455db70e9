"""The command line; a service that has its settings starts without loading it."""

import os
import sys

from operate.places import SERVICES

if (
    sys.argv[1:2] == ["run"]
    and sys.argv[2:] in [[name] for name in SERVICES]
    and "DATABASE_URL" in os.environ
):
    from shared.host import run

    run(sys.argv[2])
else:
    from operate.cli import main

    main()
