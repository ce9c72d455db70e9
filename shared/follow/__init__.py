"""Following: each event exactly once, as the next version of its stream, in its effect's transaction.

`record`: what comes; `reading`: records opened; `place` and `inbox`: what was applied; `parked`: what
waits; `limits`: how much may; `standing`: where a view is; `begun`: the transaction of what comes next;
`applier`: a batch in one transaction; `follower`: from topics to the applier.
"""

from .applier import Applier
from .follower import Follower
from .inbox import Overtaken
from .record import BATCH, GAP, MOST, Read, Record, Taken, record_of

__all__ = [
    "BATCH",
    "GAP",
    "MOST",
    "Applier",
    "Follower",
    "Overtaken",
    "Read",
    "Record",
    "Taken",
    "record_of",
]
