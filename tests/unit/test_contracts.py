"""The published language itself: each field declared once, each type in its place, closed lists closed."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, get_args
from uuid import UUID

import pytest
from pydantic import ValidationError

from shared.broker import SERVICE_TOPICS
from shared.contracts import (
    CONSENTABLE,
    ERASED,
    EVENTS,
    UPCASTS,
    Coded,
    Event,
    Personal,
    Structural,
    codes,
    declared,
    intake,
    lists,
    referral,
    sealed_fields,
)
from shared.contracts.codes import OneOf, _lists, bodies, labels
from shared.contracts.event import DataClass, event

EVERY = pytest.mark.parametrize("model", [pytest.param(m, id=t) for t, m in EVENTS.items()])
STREAMS = {
    "intake": {
        "case",
        "record",
        "consent",
        "basis",
        "household",
        "notice",
        "watch",
        "caseless",
        "match",
        "merge",
        "assignment",
        "deputyship",
        "transfer",
        "handover",
        "message",
        "attachment",
        "rights",
    },
    "referral": {"referral", "agency", "resource", "programme", "desk"},
    "meetings": {"meeting", "sitting", "matter", "plan", "body", "task"},
    "views": {"disclosure", "subscription", "refusal", "provision"},
    "metrics": {"survey", "course", "publication"},
}
CLEAR_TEXT = {
    "AgencyRegistered": {"name", "kind", "controller", "purposes"},  # of a body, not of a person
    "AgendaItemAdded": {"body"},
    "ConsentRecorded": {"group", "text_version"},
    "CoverIssued": {"by", "again"},
    "CoverNotSent": {"reason"},
    "OfficeRegistered": {"by"},
    "OfficeRemoved": {"by"},
    "DeskRegistered": {"name"},
    "DocumentChanged": {"items", "digest", "cause", "withdrawn"},
    "InputRefused": {"what"},
    "KeyRotated": {"public_key"},
    "MatterSubmitted": {"body"},
    "MeetingConvened": {"bodies", "local_name"},
    "MemberLeft": {"body"},
    "MemberNamed": {"body"},
    "MemberPledged": {"body"},
    "GivenBack": {"items", "kept"},
    "ProgrammeRegistered": {"name"},
    "ProvisionRecorded": {"items", "number", "to"},
    "ReadingRecorded": {"items"},
    "ReceiverTold": {"items"},
    "SheetPrinted": {"items"},
    "ReceiptRecorded": {"grade"},
    "ReceiptRefused": {"grade"},
    "RetractionConfirmed": {"kept"},
    "SubscriptionPaused": {"by"},
    "SubscriptionQuarantined": {"reason"},  # of a body, not of a person
    "SubscriptionRegistered": {"public_key"},
    "SubscriptionResumed": {"by"},
    "WatchRegistered": {"kind"},
}
"""Clear fields that could hold any text. Nobody adds one without saying so here."""


@EVERY
def test_every_field_has_exactly_one_declaration(model: type[Event]) -> None:
    assert declared(model).keys() == model.model_fields.keys()


def test_a_field_with_none_or_two_is_named() -> None:
    class Undeclared(Event):
        name: str

    class Twice(Event):
        name: Annotated[str, Structural(), Coded("contact")]

    for model in (Undeclared, Twice):
        with pytest.raises(TypeError, match=rf"{model.__name__}\.name"):
            declared(model)


@EVERY
def test_every_type_has_its_topic_and_stream(model: type[Event]) -> None:
    assert model.TOPIC in SERVICE_TOPICS
    assert model.STREAM in STREAMS[model.TOPIC]
    assert re.fullmatch(r"jp\.tsunagu\.[a-z]+\.[a-z_]+\.v[1-9][0-9]*", model.TYPE)
    assert model.__doc__ is None or "TODO" not in model.__doc__


@EVERY
def test_every_key_can_be_named(model: type[Event]) -> None:
    """Coded and household text need the case, or what owns them without one; a person's content that
    person; all in clear.
    """
    marks = declared(model)
    for field, mark in sealed_fields(model).items():
        needed = mark.of if isinstance(mark, Personal) and mark.of else mark.owner
        assert isinstance(marks[needed], Structural), field
        assert model.model_fields[needed].is_required(), field


@EVERY
def test_clear_fields_hold_no_text_but_what_is_listed(model: type[Event]) -> None:
    """On topics only structural fields are clear: no name, no free text, no code."""
    schema = model.model_json_schema()["properties"]
    clear = {f for f, mark in declared(model).items() if isinstance(mark, Structural)}
    assert {f for f in clear if _any_text(schema[f])} == CLEAR_TEXT.get(model.__name__, set())


def _any_text(schema: Any) -> bool:
    if isinstance(schema, list):
        return any(map(_any_text, schema))
    if not isinstance(schema, dict):
        return False
    if "$ref" in schema or (
        schema.get("type") == "string" and not {"format", "pattern"} & schema.keys()
    ):
        return True
    return any(_any_text(part) for part in schema.values() if isinstance(part, dict | list))


@EVERY
def test_slots_name_a_field(model: type[Event]) -> None:
    assert model.SLOT is None or model.SLOT in model.model_fields


def test_names_are_unique() -> None:
    assert len({model.__name__ for model in EVENTS.values()}) == len(EVENTS)
    assert all(type_ == model.TYPE for type_, model in EVENTS.items())
    assert not EVENTS.keys() & UPCASTS.keys()


def test_version_is_part_of_the_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.contracts.event.EVENTS", {})

    class Tried(Event):
        TOPIC = "intake"
        STREAM = "case"

    assert event("case.tried", 2)(Tried).TYPE == "jp.tsunagu.case.tried.v2"


def test_events_are_frozen_and_ignore_what_they_do_not_know() -> None:
    opened = intake.CaseClosed.model_validate(
        {"case": UUID(int=1), "reason": "resolved", "later": True}
    )
    assert "later" not in opened.model_dump()
    with pytest.raises(ValidationError):
        opened.__setattr__("reason", "moved")


def test_a_value_that_stays_shut_takes_the_place_of_a_sealed_one_only() -> None:
    closed = intake.CaseClosed.model_validate({"case": UUID(int=1), "reason": ERASED})
    assert vars(closed)["reason"] is ERASED
    with pytest.raises(ValidationError):
        intake.CaseClosed.model_validate({"case": ERASED, "reason": "moved"})


@pytest.mark.parametrize("code", ["", "Clinic", "a b", "診療所", "a" * 61, "a.b", "a\n"])
def test_agency_codes_are_plain(code: str) -> None:
    with pytest.raises(ValidationError):
        referral.AgencyRegistered(agency=code, name="x", kind="x", controller="city", purposes=())


def test_the_data_classes_are_those_that_can_be_consented_to() -> None:
    assert list(labels("data_class")) == list(CONSENTABLE)
    assert {"judgement", "reporter", "sealed"} == set(get_args(DataClass)) - set(CONSENTABLE)


@pytest.mark.parametrize("name", sorted(_lists()))
def test_every_list_is_closed_and_labelled(name: str) -> None:
    listed = _lists()[name]
    assert listed["title"]
    assert listed["confirmed"] is False, "only with the name of who confirmed it"
    assert all(re.fullmatch(r"[a-z0-9_]+", code) and label for code, label in labels(name).items())
    check = OneOf(name)[0].func
    assert [check(code) for code in labels(name)] == list(labels(name))  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="one of"):
        check("no such code")  # type: ignore[call-arg]


def test_a_record_shows_the_words_of_its_day(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [
        {"until": date(2026, 10, 1), "codes": {"visit": "家庭訪問", "fax": "ファクス"}},
        {"until": date(2027, 4, 1), "codes": {"visit": "訪問支援"}},
    ]
    method = {"title": "方法", "confirmed": False, "before": before, "codes": {"visit": "訪問"}}
    monkeypatch.setattr("shared.contracts.codes._lists", lambda: {"contact_method": method})
    assert labels("contact_method", date(2026, 4, 1)) == {"visit": "家庭訪問", "fax": "ファクス"}
    assert labels("contact_method", date(2026, 10, 1)) == {"visit": "訪問支援"}
    assert labels("contact_method", date(2027, 4, 1)) == {"visit": "訪問"}
    assert labels("contact_method") == {"visit": "訪問"}, "what may be written now"


def test_bodies_share_as_their_legal_type_says() -> None:
    for body in bodies(date.max).values():
        assert bool(body.citation) == (body.legal_type != "local"), body.code
        assert bool(body.secrecy) == (body.legal_type == "statutory"), body.code
        assert bool(body.review_days) == (body.legal_type == "statutory"), body.code
        assert not body.confirmed, "only with the name of who confirmed it"


def test_of_a_body_the_newest_row_of_the_day_holds_whenever_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a later row says changes nothing of before."""
    same = 'code = "juso"\nlegal_type = "consented"\ncitation = "要綱"\nconfirmed = false'
    rows = (("2040-04-01", "next"), ("2026-04-01", "new"), ("2021-04-01", "old"))
    told = "\n".join(
        f'[[body]]\nfrom = {begins}\nname = "{name}"\n{same}\ncounted_in_indicator_1 = true'
        for begins, name in rows
    )
    (tmp_path / "bodies.toml").write_text(told, "utf-8")
    monkeypatch.setenv(lists.FOLDER, str(tmp_path))
    for cached in (codes._bodies, codes._held):
        cached.cache_clear()
    try:
        for day, name in ((date(2026, 3, 31), "old"), (date(2040, 3, 31), "new")):
            assert bodies(day)["juso"].name == name
        begins = datetime(2040, 3, 31, 15, tzinfo=UTC)  # midnight in Tokyo
        assert bodies(begins)["juso"].name == "next"
        assert bodies(begins - timedelta(seconds=1))["juso"].name == "new"
        assert not bodies(date(2021, 3, 31))
        assert codes.body_codes("consented") == codes.body_codes() == ["juso"]
    finally:
        for cached in (codes._bodies, codes._held):
            cached.cache_clear()
