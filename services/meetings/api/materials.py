"""What is put before a statutory body, decided there, and written anew where a consent covers it (L12)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import model_validator

from shared.basis import covers
from shared.contracts import sealed_fields
from shared.contracts.codes import OneOf
from shared.contracts.meetings import FactPromoted, MaterialSubmitted, MatterDecided
from shared.decider import Refused
from shared.http import Body, Receipt, Route, Text
from shared.problems import bad_input

from .. import view
from ..domain import matter as matters
from .common import all_of_case
from .on_matter import OnManagedDep, OnMaterialDep, OnMatter

router = APIRouter(route_class=Route)


CLASS_OF = {name: mark.data_class for name, mark in sealed_fields(FactPromoted).items()}
"""Field of a promoted fact → its data class."""


class NewMaterial(Body):
    """A fact put before the body; sealed, whatever its true class (L12)."""

    person: UUID
    true_class: Annotated[str, *OneOf("data_class")]
    text: Text


class NewDecision(Body):
    text: Text


class Promotion(Body):
    """Exactly one class: the sealed fact of `material`, written anew as an ordinary one."""

    material: UUID
    person: UUID
    health: Text | None = None
    work: Text | None = None
    money: Text | None = None
    welfare_use: Text | None = None
    history: Text | None = None

    @property
    def fields(self) -> list[str]:
        return [name for name in CLASS_OF if getattr(self, name) is not None]

    @model_validator(mode="after")
    def _one(self) -> "Promotion":
        if len(self.fields) != 1:
            raise ValueError(f"exactly one of / 次のうち一つだけです: {', '.join(CLASS_OF)}")
        return self


@router.post("/v1/matters/{id}/materials", status_code=201)
async def put_before(on: OnMaterialDep, body: NewMaterial) -> Receipt:
    """The id of the answer is that of the material, by which it can be promoted."""
    event = MaterialSubmitted(**on.ids, **body.model_dump(exclude={"occurred_at"}))

    async def check() -> None:
        await all_of_case(on.call, on.submitted.case, [body.person], "body.person")

    receipt = await on.write(matters.PutBefore(event), body, check, location="/v1/matters/{id}")
    on.call.response.status_code = 201
    material = await view.event_at(on.call.rt, receipt.stream, receipt.version)
    return receipt.model_copy(update={"id": str(material)})


@router.post("/v1/matters/{id}/decisions")
async def decide_matter(on: OnManagedDep, body: NewDecision) -> Receipt:
    decided = MatterDecided(**on.ids, text=body.text)
    return await on.write(matters.RecordDecision(decided), body)


@router.post("/v1/matters/{id}/promotions")
async def promote(on: OnManagedDep, body: Promotion) -> Receipt:
    """A sealed fact becomes an ordinary one where a consent now covers its true class (L12)."""
    name = body.fields[0]
    bases = await _consents_for(on, body.person, CLASS_OF[name])
    promoted = FactPromoted(**on.ids, **body.model_dump(exclude={"occurred_at"}))

    async def check() -> None:
        material = next((e.event for e in on.past.events if e.envelope.id == body.material), None)
        if not isinstance(material, MaterialSubmitted):
            raise bad_input(
                "body.material", "not a material of this matter / この事案の資料ではありません"
            )
        if material.person != body.person:
            raise bad_input("body.person", "the material is about another / 別の人の資料です")
        if material.true_class != CLASS_OF[name]:
            raise bad_input(f"body.{name}", "the material is of another class / 情報区分が違います")
        if on.state.status == "live" and not bases:
            raise Refused("no-live-basis", "live", matters.ALLOWED["live"])

    basis = str(bases[0]) if bases else None
    return await on.write(matters.Promote(promoted), body, check, basis)


async def _consents_for(on: OnMatter, person: UUID, data_class: str) -> list[UUID]:
    """Live consents of a person that cover at least one agency for that class."""
    world = await view.the_world(on.call.rt)
    given = await view.consents_of(on.call.rt, on.submitted.case)
    now = on.call.now()
    return sorted(
        one.id
        for one in given.values()
        if one.recorded.person == person
        and data_class in one.classes(now)
        and any(covers(one, agency, world, now) for agency in world.agencies)
    )
