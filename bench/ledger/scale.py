"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Scale:
    """The sizes of a run. `seconds` is the length of a turn."""

    rounds: int
    seconds: float
    warm_up: bool
    clients: tuple[int, ...]
    customers: int
    tpcb_scale: int
    batch_sizes: tuple[int, ...]
    batch_clients: tuple[int, ...]
    entries: tuple[int, ...]  # of the histories that are read
    read_seconds: float
    proof_rounds: int
    seal_block: int
    news: int = 1000  # transactions since the last quick check
    peers: bool = True

    @property
    def many_clients(self) -> int:
        """The number of clients that goals speak of."""
        return 16 if 16 in self.clients else self.clients[-1]  # noqa: PLR2004

    @property
    def middle_batch(self) -> int:
        return self.batch_sizes[len(self.batch_sizes) // 2]

    @property
    def labels(self) -> list[str]:
        return [label(each) for each in self.entries]

    def in_rounds(self, rounds: int | None) -> Scale:
        """The same, with so many rounds of everything."""
        return (
            self
            if rounds is None
            else replace(self, rounds=rounds, proof_rounds=min(rounds, self.proof_rounds))
        )


def label(entries: int) -> str:
    """`5 M` for five million entries."""
    for unit, name in ((1_000_000, "M"), (1000, "k")):
        if entries >= unit:
            return f"{entries / unit:g} {name}"
    return str(entries)


FULL = Scale(
    rounds=10,
    seconds=1.0,
    warm_up=True,
    clients=(1, 4, 16, 32),
    customers=10_000,
    tpcb_scale=32,
    batch_sizes=(100, 1000, 5000),
    batch_clients=(1, 4),
    entries=(10_000, 1_000_000, 5_000_000),
    read_seconds=0.2,
    proof_rounds=5,
    seal_block=50_000,
)

# Proves that everything runs; the figures mean little.
SHORT = Scale(
    rounds=1,
    seconds=0.5,
    warm_up=False,
    clients=(2,),
    customers=500,
    tpcb_scale=2,
    batch_sizes=(20, 50, 200),
    batch_clients=(1,),
    entries=(4000, 20_000),
    read_seconds=0.02,
    proof_rounds=1,
    seal_block=1000,
    news=50,
    peers=False,
)
