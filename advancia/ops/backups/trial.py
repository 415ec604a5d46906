"""What the steps of a proof hand on to each other."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Engine

from advancia.config import Settings
from advancia.core.encryption import Keyring
from advancia.ops.backups.facts import Facts
from advancia.ops.backups.keys import Identity
from advancia.ops.backups.manifest import Manifest
from advancia.ops.backups.scratch import Scratch
from advancia.ops.backups.stores import Store

T = TypeVar("T")


@dataclass(frozen=True)
class Subject:
    """The backup that is to be proven, as its row has it."""

    id: int
    name: str
    target: str
    sha256: str


@dataclass
class Trial:
    """One proof while it is under way. What a step has not found yet may not be asked for by an earlier one."""

    settings: Settings
    keyring: Keyring
    subject: Subject
    identities: list[Identity]
    begun_at: datetime
    stack: ExitStack = field(repr=False)  # what is undone at the end, whatever happens
    found_store: Store | None = None
    found_manifest: Manifest | None = None
    found_scratch: Scratch | None = None
    found_facts: Facts | None = None
    found_engine: Engine | None = None
    restore_seconds: float | None = None
    lag_seconds: float | None = None
    entries: int = 0

    @property
    def store(self) -> Store:
        return _there(self.found_store)

    @property
    def manifest(self) -> Manifest:
        return _there(self.found_manifest)

    @property
    def scratch(self) -> Scratch:
        return _there(self.found_scratch)

    @property
    def facts(self) -> Facts:
        """What the copy holds."""
        return _there(self.found_facts)

    @property
    def engine(self) -> Engine:
        """The copy, as the app's role sees it."""
        return _there(self.found_engine)


def _there(found: T | None) -> T:
    if found is None:
        raise LookupError("A step of the proof asks for what no step before it has found.")
    return found
