"""The form by which somebody proves who they are, after the ways that are open to them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from flask import request
from wtforms import StringField

from advancia.core.clock import utcnow
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.identity.factors.errors import NoWay
from advancia.identity.factors.forms import ProofForm
from advancia.identity.factors.queries import Factors
from advancia.identity.factors.services import apps, passkeys, recovery_codes
from advancia.identity.factors.services.proofs import Proof
from advancia.identity.factors.views.shared import keyring, site
from advancia.web.forms import entered


class Way(StrEnum):
    """How a second factor can be proved; the value is the parameter `by` of the pages' addresses."""

    APP = "app"
    PASSKEY = "passkey"
    RECOVERY_CODE = "recovery-code"


FIELDS = {Way.APP: "code", Way.PASSKEY: "credential", Way.RECOVERY_CODE: "recovery_code"}
WRONG = {
    Way.APP: "That code is not right, or it was used before. Wait for the next one and enter that.",
    Way.PASSKEY: "That passkey was not accepted. Try again, or use another way.",
    Way.RECOVERY_CODE: "That is none of your unused recovery codes. Check it and try again.",
}


@dataclass(frozen=True)
class Ways:
    """The ways open to somebody, and the one that is on the page."""

    open: tuple[Way, ...]
    chosen: Way

    @property
    def others(self) -> tuple[Way, ...]:
        return tuple(way for way in self.open if way is not self.chosen)

    @property
    def field(self) -> str:
        return FIELDS[self.chosen]


def ways_for(factors: Factors) -> Ways:
    """What that person can prove; of these, the one that the address asks for, or else the first. Raises `NoWay`."""
    there = {
        Way.APP: factors.app is not None,
        Way.PASSKEY: bool(factors.passkeys),
        Way.RECOVERY_CODE: factors.recovery.left > 0,
    }
    ways = tuple(way for way, is_there in there.items() if is_there)
    if not ways:
        raise NoWay
    asked = request.values.get("by")
    return Ways(ways, next((way for way in ways if way == asked), ways[0]))


def proof_form(ways: Ways | None, *, password: bool = False) -> ProofForm:
    """A form with the field of the chosen way, and the password if that is wanted too."""
    form = ProofForm()
    form.ask_for(*([ways.field] if ways else []), *(["password"] if password else []))
    return form


def proof_in(form: ProofForm, ways: Ways, *, actor: Actor, flow: str) -> Proof:
    """What the valid form brings, ready to be looked at. A passkey must have signed what was asked in this `flow`."""
    typed = entered(field_of(form, ways))

    def holds(session: Session) -> bool:
        if ways.chosen is Way.APP:
            return apps.accept(session, user_id=actor.user_id, code=typed, keyring=keyring(), at=utcnow())
        if ways.chosen is Way.PASSKEY:
            signer = passkeys.accept(session, user_id=actor.user_id, bound_to=flow, answer=typed, site=site())
            return signer == actor.user_id
        return recovery_codes.accept(session, actor=actor, code=typed)

    return Proof(holds, guessable=ways.chosen is not Way.PASSKEY)


def field_of(form: ProofForm, ways: Ways) -> StringField:
    field: StringField = form[ways.field]
    return field
