"""Databases of a test's own: to be tampered with, to be found empty, to be dumped and restored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import psycopg
import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from advancia.config import sqlalchemy_url
from tests.conftest import TEMPLATE, Servers

_numbers = count(1)

# What its owner can do to be rid of every guard, short of being a superuser.
WITHOUT_GUARDS = """
    do $$
    declare
      each record;
    begin
      for each in select conrelid::regclass as name, conname from pg_constraint c join pg_class r on r.oid = c.conrelid
                  where c.contype in ('f', 'c', 'p')
                    and (r.relnamespace = 'ledger'::regnamespace or r.relname = 'audit_record')
                  order by c.contype = 'p' loop
        execute format('alter table %s drop constraint if exists %I cascade', each.name, each.conname);
      end loop;
      for each in select r.oid::regclass as name from pg_class r
                  where r.relkind = 'r' and (r.relnamespace = 'ledger'::regnamespace or r.relname = 'audit_record') loop
        execute format('alter table %s disable trigger user', each.name);
      end loop;
    end $$;
    alter table ledger.txn alter column id drop identity;
    alter table ledger.account alter column id drop identity;
    alter table ledger.proof alter column id drop identity;
    alter table audit_record alter column id drop identity;
"""


class Scratch:
    """A database of its own, as the app and as its owner see it."""

    def __init__(self, servers: Servers, name: str) -> None:
        self.servers = servers
        self.name = name
        self.environ = servers.environ(name, var=servers.folder / name)
        self.engine: Engine = create_engine(
            sqlalchemy_url(self.environ["DATABASE_URL"]), pool_size=30, max_overflow=0
        )

    def session(self) -> Session:
        return Session(self.engine)

    def owner(self) -> psycopg.Connection:
        return psycopg.connect(self.environ["DATABASE_OWNER_URL"])

    def tamper(self, statement: str) -> None:
        """Change rows as the owner of the database can, without any guard."""
        with self.owner() as owner:
            owner.execute(WITHOUT_GUARDS)
            assert owner.execute(statement).rowcount >= 1, f"nothing was changed by: {statement}"

    def drop(self) -> None:
        self.engine.dispose()
        self.servers.postgres.drop_database(self.name)


@pytest.fixture(scope="module")
def scratch_of(servers: Servers, worker_id: str) -> Iterator[Callable[..., Scratch]]:
    """Make a database: `scratch_of()` is migrated and empty, `scratch_of(other)` a copy of another one."""
    made: list[Scratch] = []

    def make(template: Scratch | None = None) -> Scratch:
        if template is not None:
            template.engine.dispose()  # nobody may be connected to what is copied
        name = f"own_{worker_id}_{next(_numbers)}"
        servers.postgres.create_database(
            name, owner="advancia_owner", template=template.name if template else TEMPLATE
        )
        made.append(Scratch(servers, name))
        return made[-1]

    yield make
    for scratch in made:
        scratch.drop()


@pytest.fixture
def scratch(scratch_of: Callable[..., Scratch]) -> Iterator[Scratch]:
    """A migrated database without a row."""
    made = scratch_of()
    yield made
    made.drop()
