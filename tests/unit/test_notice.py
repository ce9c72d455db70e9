"""A notice is taken or closed, once."""

from uuid import UUID

from services.intake.domain.notice import DECIDER
from shared.contracts.intake import NoticeClosed, NoticeReceived, NoticeTaken
from tests.unit._given import given

NOTICE, CASE = UUID(int=1), UUID(int=2)
received = NoticeReceived(notice=NOTICE, to="city", kind="minsei", text="新聞がたまっている")
taken = NoticeTaken(notice=NOTICE, into=CASE)
closed = NoticeClosed(notice=NOTICE, reason="checked")


def test_it_is_received_once() -> None:
    given(DECIDER).when(received).then(received)
    given(DECIDER, received).when(received).refused("notice-is-received")


def test_what_was_received_is_taken_or_closed() -> None:
    for end in (taken, closed):
        given(DECIDER, received).when(end).then(end)
        given(DECIDER).when(end).refused("notice-is-none")


def test_what_is_dealt_with_stays_so() -> None:
    for command in (taken, closed):
        given(DECIDER, received, taken).when(command).refused("notice-is-taken")
        given(DECIDER, received, closed).when(command).refused("notice-is-closed")
