"""`flask webhooks`: events from the inbox, once more."""

from __future__ import annotations

import json
import sys

import click
from flask.cli import AppGroup

from advancia.core.db import db, unit_of_work
from advancia.core.errors import NotFound
from advancia.webhooks import queries, services

NOTHING_FOUND = 1
MOST = 10_000

webhooks_cli = AppGroup("webhooks", help="What providers have told us.")


@webhooks_cli.command("replay")
@click.argument("event_ids", nargs=-1, type=int)
@click.option("--provider", help="Only this provider's, such as stripe.")
@click.option("--kind", help="Only this kind, such as charge.dispute.closed, or with a star at its end.")
@click.option(
    "--state",
    type=click.Choice(["received", "applied", "ignored", "parked"]),
    help="Only events in this state; parked, unless ids, a kind or a provider are given.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was put back to work as JSON.")
def replay(
    event_ids: tuple[int, ...], provider: str | None, kind: str | None, state: str | None, as_json: bool
) -> None:
    """Apply events once more: those with the given ids, or those that the options describe.

    Harmless for events that were applied, since the provider is asked again how things stand now. The worker does the
    work. Ends with 1 when there is no such event.
    """
    if not event_ids:
        state = state or (None if provider or kind else "parked")
        found = queries.inbox(db.session(), provider=provider, kind=kind, state=state, size=MOST)
        event_ids = tuple(row.id for row in reversed(found))
    replayed = [event_id for event_id in event_ids if _replayed(event_id)]
    if as_json:
        print(json.dumps({"replayed": replayed, "unknown": sorted(set(event_ids) - set(replayed))}))
    else:
        print(f"{len(replayed)} {'event' if len(replayed) == 1 else 'events'} put back to work.")
    if not replayed:
        sys.exit(NOTHING_FOUND)


def _replayed(event_id: int) -> bool:
    try:
        with unit_of_work() as session:
            services.replay(session, event_id=event_id)
    except NotFound:
        return False
    return True
