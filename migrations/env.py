"""How migrations run: as the database's owner, one transaction for each, with a limit on waiting for locks."""

from alembic import context
from flask import current_app
from sqlalchemy import create_engine, pool, text

from advancia.config import ConfigError, sqlalchemy_url
from advancia.core.db import Model

LOCK_TIMEOUT = "5s"


def owner_url() -> str:
    settings = current_app.extensions["settings"]
    if settings.database_owner_url is None:
        raise ConfigError(
            "DATABASE_OWNER_URL is missing: migrations run as the owner of the database, which the app itself must "
            "not be. Set it to an address like postgresql://advancia_owner:password@db.example.com/advancia."
        )
    return sqlalchemy_url(settings.database_owner_url)


def ours(_object, name, kind, _reflected, _compare_to) -> bool:
    """The ledger's schema is made by its own SQL files, not by models."""
    return not (kind == "table" and getattr(_object, "schema", None) == "ledger")


def run_migrations() -> None:
    engine = create_engine(owner_url(), poolclass=pool.NullPool)
    with engine.connect() as connection:
        connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=Model.metadata,
            include_object=ours,
            transaction_per_migration=True,
            compare_server_default=True,
        )
        with context.begin_transaction():
            context.run_migrations()


run_migrations()
