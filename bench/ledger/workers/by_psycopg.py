"""Makes the same call as `advancia.ledger.post`, through psycopg and nothing else."""

from __future__ import annotations

import random
from uuid import uuid4

import psycopg

from advancia.ledger.posting import POST
from bench.turns import Client, serve, told


def main() -> None:
    settings = told()
    autocommit = settings["autocommit"]

    def new_client(chance: random.Random) -> Client:
        connection = psycopg.connect(settings["url"], autocommit=autocommit)
        run, customers = uuid4().hex, range(1, settings["customers"] + 1)
        numbers = iter(range(10**12))
        of_both, assets, purposes = "{{{},{}}}", ["USD", "USD"], ["available", "available"]

        def post() -> int:
            low, high = sorted(chance.sample(customers, 2))
            amount = chance.choice((-1, 1)) * chance.randint(1, 100)
            legs = (of_both.format(low, high), assets, purposes, of_both.format(-amount, amount))
            values = (f"b:{run}:{next(numbers)}", "transfer", *legs, None, None, None)
            connection.execute(POST, values).fetchone()
            if not autocommit:
                connection.commit()
            return 1

        return post

    serve(new_client, threads=settings["threads"])


if __name__ == "__main__":
    main()
