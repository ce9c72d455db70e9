"""What may leave a case by hand, to whom, and on which bases (L21). Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.basis import World
from shared.contracts import CONSENTABLE, readable
from shared.contracts.views import BasisRef, ItemRef, ProvisionRecorded
from shared.decider import Refused

from .disclose import disclose
from .facts import Fact
from .grant import WITHOUT_CONSENT, Bases
from .history import Ref


@dataclass(frozen=True)
class Known:
    """What an item's basis is judged by."""

    facts: tuple[Fact, ...]
    bases: Bases
    world: World
    at: datetime

    def shown(self, agency: str) -> dict[Ref, tuple[BasisRef, ...]]:
        """What the agency may hold now, each with its bases; nothing of what it is only warned of."""
        found = disclose(self.facts, self.bases, self.world, agency, self.at)
        return {
            (i.fact.event, i.fact.field): tuple(BasisRef(**b._asdict()) for b in i.bases)
            for i in found.items
            if not i.warned
        }

    def consented(self, consent: UUID) -> frozenset[Ref]:
        """What a live consent gives of its person alone: of records from before 0092, by which somebody
        who is no agency was given something.
        """
        given = self.bases.consents.get(consent)
        if given is None or not given.live(self.at):
            return frozenset()
        stopped = given.stopped(self.at)
        classes = given.classes(self.at) & set(CONSENTABLE)
        return frozenset(
            (fact.event, fact.field)
            for fact in self.facts
            if fact.subjects == {given.recorded.person}
            and fact.data_class in classes
            and (stopped is None or fact.at < stopped)
        )

    def by_law(self, given: ProvisionRecorded) -> frozenset[Ref]:
        """What a ground in law gives to somebody who is no agency: nothing that is protected (L11), of a
        reporter or sealed (L22, L12); to the person himself only what is about him alone (L4), and
        no judgement.
        """
        named = {_ref(item) for item in given.items}
        facts = [fact for fact in self.facts if (fact.event, fact.field) in named]
        ground, kind = readable(given.ground), readable(given.kind)
        classes = WITHOUT_CONSENT if ground else frozenset[str]()
        if ground == "to_the_person" or kind == "person":
            him = {fact.person for fact in facts if fact.person}
            facts = [fact for fact in facts if {fact.person} == him]
            classes = classes.intersection(CONSENTABLE)
        return frozenset(
            (fact.event, fact.field)
            for fact in facts
            if fact.data_class in classes and self.bases.hidden_since(fact, "", self.at) is None
        )


@dataclass(frozen=True)
class Give:
    """`given`, whose items name no basis yet, on the consent or the ground that is `cited` for it."""

    given: ProvisionRecorded
    cited: UUID | None
    known: Known

    def carried(self) -> ProvisionRecorded:
        """With the bases that carry each item: to an agency exactly what it may hold now, the cited one
        among them; to anybody else what a ground in law gives. Raises Refused, which names the
        items that it is for.
        """
        given, known = self.given, self.known
        if given.to is None and given.ground is None:
            raise Refused("consent-names-agencies-only", "", ("ground",))
        if given.to is None:
            by_law = known.by_law(given)
            self._refuse([i for i in given.items if _ref(i) not in by_law], "not-by-this-ground")
            return given
        shown = known.shown(given.to)
        items = [i.model_copy(update={"bases": shown.get(_ref(i), ())}) for i in given.items]
        missing = [i for i in items if not any(map(self._cites, i.bases))]
        self._refuse(missing, "no-basis-for-agency", "consents", "urgent-bases", "grounds")
        return given.model_copy(update={"items": tuple(items)})

    def _cites(self, basis: BasisRef) -> bool:
        """A law counts for an agency as it is on record for it (L7, L8)."""
        by_law = self.given.ground is not None
        if self.cited is None and not by_law:
            return True
        return basis.id == str(self.cited) or (by_law and basis.kind in ("urgent", "ground"))

    def _refuse(self, items: Iterable[ItemRef], reason: str, *instead: str) -> None:
        if places := ", ".join(f"{item.event}/{item.field}" for item in items):
            raise Refused(reason, places, instead or ("items",))


def _ref(item: ItemRef) -> Ref:
    return item.event, item.field
