"""A provider whose books differ as a test says, and a whole run against it."""

from __future__ import annotations

from datetime import timedelta

from advancia.core.clock import utcnow
from advancia.core.db import db, unit_of_work
from advancia.reconciliation import progress, queries, runner, runs
from advancia.reconciliation.found import Found, Kind, NotAnswered, Side, Tally


class Provider:
    """The books of a provider that differ as a test says."""

    provider = "sandbox"

    def __init__(
        self, *found: Found, trouble: str | None = None, alarm: str | None = None, remark: str | None = None
    ) -> None:
        self.found = found
        self.trouble = trouble
        self.alarm = alarm
        self.remark = remark
        self.collected = 0

    def collect(self, run_id):
        self.collected += 1
        with unit_of_work() as session:
            progress.note(
                session, run_id, part=progress.of_provider(self.provider), told={"words": "x", "done": 1}
            )
        if self.trouble:
            raise NotAnswered(self.trouble)

    def differences(self, session, run_id):
        yield from self.found

    def tallies(self, session, run_id):
        yield Tally(
            side=Side.OUTSIDE, check="payments", words="Payments", provider=self.provider, compared=10,
            differing=len(self.found), alarm=self.alarm,
        )  # fmt: skip
        if self.remark:
            yield Tally(
                side=Side.OUTSIDE, check="payouts", words="Payouts", provider=self.provider, compared=0, differing=0,
                remark=self.remark,
            )  # fmt: skip


def a_difference(name="one", **more):
    told = {
        "side": Side.OUTSIDE, "check": "payments", "kind": Kind.MISSING_HERE, "key": f"payments:{name}",
        "words": "The provider has a payment that our books do not have.", "provider": "sandbox",
        "their_ref": f"pi_{name}", "asset": "USD", "their_amount": 1200, "happened_at": utcnow() - timedelta(hours=5),
    }  # fmt: skip
    return Found(**(told | more))


def reconcile(*outsides, kind="nightly", asked_by=None, window=None, provider=None):
    with unit_of_work() as session:
        run_id = runs.begin(
            session,
            kind=kind,
            window=window or runs.usual_window(session),
            asked_by=asked_by,
            provider=provider,
        )
    runner.go_on(db.engine, run_id, seal_keys=None, outsides=outsides)
    return queries.run(db.session(), run_id)
