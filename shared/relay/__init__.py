"""The relay: what is committed but not yet on the broker, sent in order by one active process.

`outbox`: what a relay empties; `unsent`: that of a journal; `turn`: the right to send; `topics`: what the
broker has, and has lost; `batches`: records that go together; `relay`: the loop.
"""

from .outbox import Ack, Outbox
from .relay import Relay
from .unsent import JournalOutbox

__all__ = ["Ack", "JournalOutbox", "Outbox", "Relay"]
