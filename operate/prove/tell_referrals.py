"""Referrals of a random history."""

from typing import Any

from operate.prove.told import CLASSES, NAMES_OF_HOLDERS, Plain, Scribe
from shared.contracts import Event
from shared.contracts import referral as r


class Referrals(Scribe):
    """Asked, received, answered, ended; sender and receiver hold what they say themselves (L2), and of the
    other what a basis covers: to send or to receive is none (L9).
    """

    def _refer(self) -> None:
        id, (case, person) = self._new(), self._person()
        of: Plain = {"referral": id, "case": case, "person": person}
        sender, receiver = self._recorder(), self.chance.choice(NAMES_OF_HOLDERS)
        classes = self._some(CLASSES[:-1], 1)
        event = r.ReferralRequested(
            **of, sender=sender, receiver=receiver, classes=classes, need="x", bases=()
        )
        fields = {"classes": "judgement", "need": "life_history", "urgency": "life_history"}
        self._fact(f"referral/{id}", event, sender, (person,), **fields)
        self.referrals[id] = of, 0

    def _answer(self) -> None:
        """The next thing that is said of one, by whoever says it."""
        if (id := self._of(self.referrals)) is None:
            return
        of, said = self.referrals[id]
        text: Any = self.chance.choice(("y", None))
        day = self.now.date()
        ways: tuple[tuple[type[Event], Plain, dict[str, str]], ...] = (
            (r.ReferralReceived, {}, {}),
            (r.ReferralAccepted, {"first_contact_on": day}, {}),
            (r.ServiceStarted, {"first_contact_on": day}, {}),
            (r.ReferralCompleted, {"outcome": "linked", "text": text}, {"outcome": "welfare_use"}),
        )
        how, values, fields = ways[said]
        if said in (1, 2) and self.chance.random() < 0.3:
            how, fields = r.ReferralDeclined, {"code": "welfare_use"}
            values, said = {"code": "full", "text": text}, len(ways)
        fields |= {"text": "welfare_use"} if values.get("text") else {}
        event = how(**of, **values)
        self._fact(f"referral/{id}", event, self._recorder(), (of["person"],), **fields)
        self.referrals[id] = of, said + 1
        if said + 1 >= len(ways):
            del self.referrals[id]
