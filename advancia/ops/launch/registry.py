"""What a check is, what it finds, and all that there are, in the order in which they are run."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Final

import httpx

from advancia.core import log
from advancia.ops.launch.look import Look

# The order of their pages. What uses up the tries of this machine's address comes last.
ROOMS: Final = (
    "settings",
    "database",
    "books",
    "backups",
    "background",
    "people",
    "outside",
    "post",
    "loop",
    "doors",
)

NOT_REACHED = (
    "Start the web process, and see that PUBLIC_URL, its name in DNS, its certificate and the proxy lead there, "
    "also from this machine."
)

_log = log.logger(__name__)


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    BLOCKER = "blocker"
    UNKNOWN = "unknown"  # it could not be told, which is not the same as fine


class Weight(StrEnum):
    """What it means when a check finds something wrong."""

    BLOCKER = "blocker"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """What a check has seen, in words that hold no secret, and what to do about it."""

    state: State
    evidence: str
    remedy: str = ""


@dataclass(frozen=True)
class Check:
    """One line of the list."""

    name: str
    words: str
    weight: Weight
    look_at: Callable[[Look], Finding]

    def find(self, look: Look) -> Finding:
        """Run it. Its own failure is a finding as well: then nothing is known."""
        try:
            finding = self.look_at(look)
        except httpx.HTTPError as trouble:
            finding = wrong(f"{look.url} could not be asked: {type(trouble).__name__}.", NOT_REACHED)
        except Exception as trouble:  # noqa: BLE001 - one check that breaks hides nothing of the others
            _log.error("launch_check_failed", check=self.name, exc_info=trouble)
            finding = unknown(
                f"The check itself failed: {type(trouble).__name__}.", "See the log for what happened."
            )
        finally:
            look.session.rollback()  # each looks at what is so now, and leaves nothing open
        if finding.state is State.BLOCKER and self.weight is Weight.WARNING:
            return replace(finding, state=State.WARNING)
        return finding


@dataclass(frozen=True)
class Line:
    """A check with what it found, as it is kept and shown."""

    name: str
    words: str
    state: State
    evidence: str
    remedy: str
    seconds: float

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Line:
        return cls(**{**stored, "state": State(stored["state"])})


LookAt = Callable[[Look], Finding]
_checks: dict[str, Check] = {}


def check(words: str, *, weight: Weight) -> Callable[[LookAt], LookAt]:
    """Put the function on the list. `words` are what has to be so; its name, with hyphens, is what `--only` takes."""

    def register(function: LookAt) -> LookAt:
        name = function.__name__.replace("_", "-")
        if name in _checks:
            raise RuntimeError(f"Two checks want to be {name}.")
        _checks[name] = Check(name, words, weight, function)
        return function

    return register


def checks() -> list[Check]:
    """Every check, in order."""
    for room in ROOMS:
        importlib.import_module(f"advancia.ops.launch.checks.{room}")
    return list(_checks.values())


def fine(evidence: str) -> Finding:
    return Finding(State.OK, evidence)


def wrong(evidence: str, remedy: str) -> Finding:
    """As bad as the check's weight says."""
    return Finding(State.BLOCKER, evidence, remedy)


def weak(evidence: str, remedy: str) -> Finding:
    """A warning, whatever the check's weight."""
    return Finding(State.WARNING, evidence, remedy)


def unknown(evidence: str, remedy: str) -> Finding:
    return Finding(State.UNKNOWN, evidence, remedy)
