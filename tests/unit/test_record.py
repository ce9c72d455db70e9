"""One line of the 支援経過記録: corrected whole, read by who was asked, its next action done once."""

from typing import Any
from uuid import UUID

from services.intake.domain.record import DECIDER, Write
from shared.contracts.intake import (
    ContactCorrected,
    ContactRecorded,
    NextActionDone,
    PersonNoted,
    RecordCirculated,
    RecordRead,
)
from tests.unit._given import given

RECORD, CASE, HANA, KEN = (UUID(int=n) for n in range(1, 5))
OF: dict[str, Any] = {"record": RECORD, "case": CASE}
written = ContactRecorded(**OF, method="visit", text="玄関先で話す", next_action="電話")
corrected = ContactCorrected(**OF, method="phone", reason="方法の誤り")
done = NextActionDone(**OF)


def noted(person: UUID, text: str | None = "眠れない") -> PersonNoted:
    return PersonNoted(**OF, person=person, text=text)


def circulated(*to: str) -> RecordCirculated:
    return RecordCirculated(**OF, to=to)


def test_it_is_written_once() -> None:
    given(DECIDER).when(Write(written, (noted(HANA),))).then(written, noted(HANA))
    given(DECIDER, written).when(Write(written)).refused("record-is-written")


def test_nothing_happens_to_a_line_that_is_not_there() -> None:
    for command in (Write(corrected), circulated("a"), RecordRead(**OF, reader="a"), done):
        given(DECIDER).when(command).refused("record-is-not-written")


def test_a_correction_takes_back_the_notes_that_it_does_not_repeat() -> None:
    before = given(DECIDER, written, noted(HANA), noted(KEN))
    before.when(Write(corrected, (noted(KEN, "元気"),))).then(
        corrected, noted(KEN, "元気"), noted(HANA, None)
    )


def test_only_who_was_not_asked_yet_is_asked() -> None:
    given(DECIDER, written).when(circulated("a", "b", "a")).then(circulated("a", "b"))
    given(DECIDER, written, circulated("a")).when(circulated("b", "a")).then(circulated("b"))
    given(DECIDER, written, circulated("a")).when(circulated("a")).then()


def test_who_was_asked_reads_once() -> None:
    read = RecordRead(**OF, reader="a")
    given(DECIDER, written).when(read).refused("not-circulated-to-you")
    given(DECIDER, written, circulated("a")).when(read).then(read)
    given(DECIDER, written, circulated("a"), read).when(read).then()


def test_a_next_action_is_done_once() -> None:
    given(DECIDER, written).when(done).then(done)
    given(DECIDER, written, done).when(done).refused("no-open-next-action")
    given(DECIDER, written, corrected).when(done).refused("no-open-next-action")
