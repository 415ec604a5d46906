"""Posts batches through `advancia.ledger.batches.post_many`, each in a session of its own that commits."""

from __future__ import annotations

import random
from uuid import uuid4

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from advancia.config import sqlalchemy_url
from advancia.core.money import Money, asset
from advancia.ledger import Posting, available
from advancia.ledger.batches import BatchItem, post_many
from bench.turns import Client, serve, told

TOO_MUCH = 10**30  # minor units that nobody has


def main() -> None:
    settings = told()
    threads, size, refused = settings["threads"], settings["size"], settings["refused"]
    engine = create_engine(sqlalchemy_url(settings["url"]), pool_size=threads, max_overflow=0)
    usd = asset("USD")

    def new_client(chance: random.Random) -> Client:
        run, customers = uuid4().hex, range(1, settings["customers"] + 1)
        numbers = iter(range(10**12))

        def item() -> BatchItem:
            source, destination = chance.sample(customers, 2)
            minor = TOO_MUCH if chance.random() < refused else chance.randint(1, 100)
            moved = Posting(available(source), available(destination), Money(minor, usd))
            return BatchItem(f"b:{run}:{next(numbers)}", "transfer", [moved])

        def post() -> int:
            with Session(engine) as session:
                post_many(session, [item() for _ in range(size)], atomic=settings["atomic"])
                session.commit()
            return int(size)

        return post

    serve(new_client, threads=threads)


if __name__ == "__main__":
    main()
