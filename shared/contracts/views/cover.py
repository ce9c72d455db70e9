"""The light way: a cover sheet without content that leads an agency without a system to one page."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, StringConstraints

from ..event import Id, S, event
from .disclosure import DisclosureEvent

NotSent = Literal[
    "no-answer", "deferred", "login-refused", "address-refused", "refused", "unsure", "expired",
    "no-address", "untrusted",
]  # fmt: skip
"""`untrusted`: the mail server did not prove that it is ours, or offered no TLS; it was told nothing.
`unsure`: it broke off after the sheet was handed over, so it may have arrived; it is never sent
again by itself.
"""


@event("disclosure.cover_issued")
class CoverIssued(DisclosureEvent):
    """A sheet was made, to be sent by fax, mail or post; `cover` opens the page once and until then, for
    a member of the agency who has logged in. `place`: the agency's registered address that it is sent
    to by machine; None: a person sends it. `document`: the newest of that moment. `again`: why one of
    the same document goes to the same place once more.
    """

    cover: Id
    by: Annotated[Literal["fax", "mail", "paper"], S]
    document: Annotated[int | None, S] = None
    until: Annotated[AwareDatetime | None, S] = None
    place: Annotated[UUID | None, S] = None
    again: Annotated[str | None, S] = None


@event("disclosure.cover_used")
class CoverUsed(DisclosureEvent):
    """Its link has been opened; ce_actor says by whom."""

    cover: Id


@event("disclosure.cover_sent")
class CoverSent(DisclosureEvent):
    """The mail server has taken it over."""

    cover: Id


@event("disclosure.cover_not_sent")
class CoverNotSent(DisclosureEvent):
    """It could not be sent; it will be tried again, or `final`: a person has to see to it."""

    cover: Id
    reason: Annotated[NotSent, S]
    final: Annotated[bool, S]


@event("disclosure.cover_bounced")
class CoverBounced(DisclosureEvent):
    """It came back; `status`: why, as RFC 3463 numbers it."""

    cover: Id
    status: Annotated[str, StringConstraints(pattern=r"^[245](\.[0-9]{1,3}){2}$"), S]
