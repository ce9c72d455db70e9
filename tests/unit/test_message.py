"""A message is sent once, and the first reading of it counts."""

from uuid import UUID

from services.intake.domain.message import DECIDER, Send
from shared.contracts.intake import MessageRead, MessageSent, PersonToldOf
from tests.unit._given import given

ID, CASE, HANA = (UUID(int=n) for n in range(1, 4))
sent = MessageSent(message=ID, case=CASE, to="shakyo", topic="question")
told = PersonToldOf(message=ID, case=CASE, person=HANA, text="火曜に通院")
read = MessageRead(message=ID, case=CASE, reader="sato")


def test_it_is_sent_once_with_or_without_what_it_tells_of_a_person() -> None:
    given(DECIDER).when(Send(sent)).then(sent)
    given(DECIDER).when(Send(sent, told)).then(sent, told)
    given(DECIDER, sent).when(Send(sent)).refused("message-is-sent")


def test_the_first_reading_counts() -> None:
    given(DECIDER, sent).when(read).then(read)
    given(DECIDER, sent, read).when(read).then()
    given(DECIDER).when(read).refused("message-is-none")
