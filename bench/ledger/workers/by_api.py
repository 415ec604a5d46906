"""Posts through `advancia.ledger.post`, each time in a session of its own that commits."""

from __future__ import annotations

import random
from uuid import uuid4

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from advancia import ledger
from advancia.config import sqlalchemy_url
from advancia.core.money import Money, asset
from advancia.ledger import Posting, available
from bench.turns import Client, serve, told


def main() -> None:
    settings = told()
    threads = settings["threads"]
    engine = create_engine(sqlalchemy_url(settings["url"]), pool_size=threads, max_overflow=0)
    usd = asset("USD")

    def new_client(chance: random.Random) -> Client:
        run, customers = uuid4().hex, range(1, settings["customers"] + 1)
        numbers = iter(range(10**12))

        def post() -> int:
            source, destination = chance.sample(customers, 2)
            amount = Money(chance.randint(1, 100), usd)
            with Session(engine) as session:
                ledger.post(
                    session,
                    reference=f"b:{run}:{next(numbers)}",
                    kind="transfer",
                    postings=[Posting(available(source), available(destination), amount)],
                )
                session.commit()
            return 1

        return post

    serve(new_client, threads=threads)


if __name__ == "__main__":
    main()
