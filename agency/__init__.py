"""The agency kit: keeps an agency's own copy of its shared cases in sync, and certifies that it does.

Installed alone, by the agency: it needs aiokafka, joserfc, httpx, pydantic, typer and rich, nothing
of the services; psycopg for a copy in PostgreSQL. Start with README.md, then `subscriber`.
"""

from agency.commands import Commands
from agency.copy import Copy, Held
from agency.credentials import Credentials
from agency.document import Document
from agency.feed import Feed
from agency.receipts import Receipts
from agency.subscriber import Subscriber

__all__ = ["Commands", "Copy", "Credentials", "Document", "Feed", "Held", "Receipts", "Subscriber"]
