"""How large a storm."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Scale:
    """The sizes of a run. Turns are in seconds; `reads` is how many pages are read in one second."""

    events: int = 10_000
    customers: int = 1000
    connections: int = 2  # on which the next event is sent once the last was answered
    workers: int = 2  # one for each processor of the machine that the goals speak of
    quiet_turns: int = 3  # before the storm, and as many after it
    quiet_seconds: float = 4.0
    quiet_events: int = 100  # in each of these turns
    posting_seconds: float = 1.5
    reads: int = 25
    ledger_customers: int = 1000
    longest_wait: float = 200.0  # for the last credit

    def with_events(self, events: int | None) -> Scale:
        return self if events is None else replace(self, events=events)

    @property
    def all_events(self) -> int:
        """Those of the quiet turns included."""
        return self.events + 2 * self.quiet_turns * self.quiet_events


FULL = Scale()

# Proves that everything runs; the figures mean little.
SHORT = Scale(
    events=300,
    customers=50,
    quiet_turns=1,
    quiet_seconds=1.0,
    quiet_events=20,
    posting_seconds=0.5,
    ledger_customers=100,
    longest_wait=40.0,
)
