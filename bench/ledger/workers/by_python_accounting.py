"""Posts journal entries with python-accounting. Runs in its own environment.

It numbers transactions by counting them, so two clients at once clash: it is measured with one.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime

from python_accounting.config import config
from python_accounting.database.session import get_session
from python_accounting.models import Account, Base, Currency, Entity, LineItem
from python_accounting.transactions import JournalEntry
from sqlalchemy import Engine, create_engine, select

from bench.turns import Client, serve, told

ACCOUNTS = 100


def main() -> None:
    settings = told()
    url = settings["url"].replace("postgresql://", "postgresql+psycopg://")
    config.configure_database(url)
    engine = create_engine(url)
    if settings.get("migrate"):
        migrate(engine)
        return

    def new_client(chance: random.Random) -> Client:
        session = get_session(engine)
        entity = session.scalars(select(Entity)).first()
        session.entity = entity
        ids = [account.id for account in session.scalars(select(Account))]

        def post() -> int:
            source, destination = chance.sample(ids, 2)
            entry = JournalEntry(
                narration="transfer",
                transaction_date=datetime.now(UTC).replace(tzinfo=None),
                account_id=source,
                entity_id=entity.id,
            )
            session.add(entry)
            session.flush()
            line = LineItem(
                narration="transfer",
                account_id=destination,
                amount=chance.randint(1, 100),
                entity_id=entity.id,
            )
            session.add(line)
            session.flush()
            entry.line_items.add(line)
            session.add(entry)
            entry.post(session)
            session.commit()
            return 1

        return post

    serve(new_client, threads=settings["threads"])


def migrate(engine: Engine) -> None:
    Base.metadata.create_all(engine)
    session = get_session(engine)
    entity = Entity(name="bench")
    session.add(entity)
    session.commit()
    currency = Currency(name="US Dollars", code="USD", entity_id=entity.id)
    session.add(currency)
    session.commit()
    for number in range(ACCOUNTS):
        account = Account(
            name=f"account {number}",
            account_type=Account.AccountType.BANK,
            currency_id=currency.id,
            entity_id=entity.id,
        )
        session.add(account)
        session.flush()
    session.commit()


if __name__ == "__main__":
    main()
