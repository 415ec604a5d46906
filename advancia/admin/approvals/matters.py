"""What may wait for a second person: who decides on it, what it is called, what it would do, and how it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from advancia.admin.approvals.queries import Shown
from advancia.admin.approvals.services import Kind
from advancia.admin.payments import previews, second_person
from advancia.admin.rollbacks import queries as rollbacks
from advancia.admin.rollbacks import services as rolling_back
from advancia.core.db import Session
from advancia.core.permissions import Permission


@dataclass(frozen=True)
class Matter:
    """A kind of request. `template` has the macro `shown` of what it would do, given `preview`."""

    title: Callable[[Shown], str]
    yes: str  # what the button says by which it is done
    permission: Permission
    deciders: str
    template: str
    preview: Callable[[Session, Shown], Any]
    grant: Callable[..., object]


def _of_money(title: str, yes: str) -> Matter:
    return Matter(
        title=lambda approval: f"{title} {approval.terms['amount']}",
        yes=yes,
        permission=Permission.APPROVE,
        deciders="Finance, an admin or an owner decides on this.",
        template="admin/approvals/money.html",
        preview=previews.preview,
        grant=second_person.grant,
    )


MATTERS = {
    Kind.ROLLBACK: Matter(
        title=lambda approval: f"Rollback of #{approval.subject}",
        yes="Approve and roll back",
        permission=Permission.ROLL_BACK,
        deciders="An admin or an owner decides on rollbacks.",
        template="admin/approvals/rollback.html",
        preview=lambda session, approval: rollbacks.preview(session, int(approval.subject)),
        grant=rolling_back.grant,
    ),
    Kind.REFUND: _of_money("Refund of", "Approve and refund"),
    Kind.STRAY_CREDIT: _of_money("Credit out of suspense of", "Approve and credit"),
    Kind.STRAY_RETURN: _of_money("Sending back of", "Approve and send back"),
}


def matter_of(approval: Shown) -> Matter:
    return MATTERS[Kind(approval.kind)]


def title_of(approval: Shown) -> str:
    """What is asked for, in a few words."""
    return matter_of(approval).title(approval)
