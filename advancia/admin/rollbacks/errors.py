"""Refusals of rollbacks."""

from __future__ import annotations

from advancia.admin.approvals.errors import NeedsSecondPerson
from advancia.core.errors import DomainError


class NeedsApproval(NeedsSecondPerson):
    """It is too old for one person alone."""

    def __init__(self) -> None:
        super().__init__("This is older than 24 hours, so a second person has to approve it.")


class CannotBeRolledBack(DomainError):
    """The ledger would refuse; the text says why."""
