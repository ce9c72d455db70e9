"""Every item that a document can show has its words in Japanese, and every code its label."""

from typing import Any

import pytest

from services.views.domain.facts import FACT_EVENTS
from services.views.words import fields, line
from shared.contracts import Coded, sealed_fields
from shared.contracts.codes import _lists, labels

SHOWN = {
    (model.TYPE.removeprefix("jp.tsunagu.").removesuffix(".v1"), name): mark
    for model in FACT_EVENTS
    for name, mark in sealed_fields(model).items()
}


def test_every_field_has_its_words_and_no_word_is_left_over() -> None:
    assert fields().keys() == SHOWN.keys()
    assert all(not word["label"].isascii() for word in fields().values())


def test_every_code_has_its_list() -> None:
    listed = {place: word.get("list") for place, word in fields().items()}
    coded = {place for place, mark in SHOWN.items() if isinstance(mark, Coded)}
    assert {place for place, name in listed.items() if name} == coded - {
        ("record.contact_recorded", "minutes"), ("record.contact_corrected", "minutes"),
    }  # fmt: skip
    assert {name for name in listed.values() if name} <= _lists().keys()


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"type": "case.health_recorded", "field": "care_level", "value": "care_1"}, "要介護1"),
        ({"type": "case.person_described", "field": "name", "value": "𠮷田 葛󠄀花"}, "𠮷田 葛󠄀花"),
        (
            {"type": "case.living_recorded", "field": "work", "value": "of a later list"},
            "of a later list",
        ),
        ({"type": "of.a_later_version", "field": "new", "value": 3}, "3"),
        ({"type": "warning.protected", "field": "address", "value": "保護"}, "保護"),
    ],
)
def test_an_item_is_told_in_words(more: dict[str, Any], text: str) -> None:
    item = {"class": "contact", "occurred_at": "2026-05-10T15:30:00+00:00", **more}
    told = line(item)
    assert (told.text, told.day, told.kind) == (text, "2026-05-11", labels("data_class")["contact"])
    assert told.warned == (item["type"] == "warning.protected")


def test_several_codes_are_told_together() -> None:
    item = {"type": "case.worries_recorded", "field": "concerns", "class": "life_history",
            "occurred_at": "2026-05-10T15:30:00+00:00", "value": ["health", "care"]}  # fmt: skip
    known = labels("concern")
    assert line(item).text == f"{known['health']}、{known['care']}"
