"""The command line; a service that has its settings starts without loading it."""

import gc
import os
import sys

from operate.places import SERVICES

words = sys.argv[1:]
if (
    words[:1] == ["run"]
    and words[1:] in ([name] for name in SERVICES)
    and "DATABASE_URL" in os.environ
):
    gc.disable()  # a fifth of the time, and nothing that is imported goes again
    from shared.host import run

    run(words[1])
else:
    from operate.cli import main

    main()
