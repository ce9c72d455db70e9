"""The light way: a cover sheet without content that leads an agency without a system to one page."""

from typing import Annotated, Literal

from ..event import Id, S, event
from .disclosure import DisclosureEvent


@event("disclosure.cover_issued")
class CoverIssued(DisclosureEvent):
    """A sheet was made, to be sent by fax, mail or post; `cover` opens the page once, for a member of
    the agency who has logged in.
    """

    cover: Id
    by: Annotated[Literal["fax", "mail", "paper"], S]


@event("disclosure.cover_used")
class CoverUsed(DisclosureEvent):
    """Its link has been opened; ce_actor says by whom."""

    cover: Id
