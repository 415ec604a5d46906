"""The servers and people that every test may ask for.

One PostgreSQL and one Valkey are started for the whole run, and one migrated database is made as a template; each
test process gets its own copy of it and its own Valkey database. Tests share them: nothing may assume empty books.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from flask import Flask

from advancia.app import create_app
from advancia.config import Settings, load_settings
from advancia.core.db import Session, db
from advancia.ops.dev.postgres import PostgresCluster
from advancia.ops.dev.valkey import ValkeyServer
from tests.support.books import Books
from tests.support.pages import InProcess, Page, adopt_session, sign_in
from tests.support.people import Customer, new_customer, new_staff

SERVERS = "ADVANCIA_TEST_SERVERS"
TEMPLATE = "template_advancia"
SANDBOX_SECRET = "whsec_sandbox_for_tests"
SEAL_SECRET = "5ea1" * 16
FIELD_SECRET = "f1e1d5" * 10 + "f1e1"
# An age key pair that was made for the tests and guards nothing: the public half is what backups are encrypted for.
BACKUP_RECIPIENT = "age1uw62kyrvcdy37jzj366adyzs4v4kme8eauvq5jevr335mmplgcjqxqruhn"
BACKUP_IDENTITY = "AGE-SECRET-KEY-1WCKDYNANAC9XVGL8PKJZJELMDETE0E3GDJJF00RG740GLUP7G7HSD0SM2D"

pytest_plugins = [
    "tests.support.scratch",
    "tests.support.servers",
    "tests.support.browser",
    "tests.support.payments",
    "tests.support.work",
    "tests.support.launch",
    "tests.support.tls",
]


class Servers:
    """The servers of this run; test processes find them by one environment variable."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.postgres = PostgresCluster(folder / "postgres", durable=False)
        self.valkey = ValkeyServer(folder / "valkey")

    def start(self) -> None:
        self.postgres.start()
        self.valkey.start()
        self.postgres.create_database(TEMPLATE, owner="advancia_owner")
        os.environ[SERVERS] = json.dumps({"folder": str(self.folder)})
        migrate(self.environ(TEMPLATE, var=self.folder / "template"))

    def stop(self) -> None:
        os.environ.pop(SERVERS, None)
        self.valkey.stop()
        self.postgres.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def environ(self, database: str, *, var: Path, cache: int = 0) -> dict[str, str]:
        """The settings of a product that uses these servers."""
        var.mkdir(parents=True, exist_ok=True)
        return {
            "ADVANCIA_ENV": "test",
            "ADVANCIA_VAR": str(var),
            "DATABASE_URL": self.postgres.url("advancia_app", database),
            "DATABASE_OWNER_URL": self.postgres.url("advancia_owner", database),
            "REDIS_URL": f"{self.valkey.url}?db={cache}",
            "SECRET_KEY": "a key for tests, which guards nothing at all",
            "SEAL_KEYS": f"test:{SEAL_SECRET}",
            "FIELD_KEYS": f"test:{FIELD_SECRET}",
            "BACKUP_RECIPIENTS": BACKUP_RECIPIENT,
            "SANDBOX_URL": "http://127.0.0.1:9",
            "SANDBOX_SECRET": SANDBOX_SECRET,
            "WEB_WORKERS": "1",
            "WEB_THREADS": "64",  # in tests, as many browsers as they like are answered at once
            "LOG_LEVEL": "WARNING",
        }


def migrate(environ: dict[str, str]) -> None:
    """Bring the database that `environ` names up to the newest migration."""
    from flask_migrate import upgrade

    with create_app(load_settings(environ)).app_context():
        upgrade()
        db.engine.dispose()


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        folder = Path(tempfile.mkdtemp(prefix="advancia-tests-"))
        folder.chmod(0o755)
        config.advancia_servers = Servers(folder)  # type: ignore[attr-defined]
        config.advancia_servers.start()  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    if (servers := getattr(config, "advancia_servers", None)) is not None:
        servers.stop()


@pytest.fixture(scope="session")
def servers() -> Servers:
    return Servers(Path(json.loads(os.environ[SERVERS])["folder"]))


@pytest.fixture(scope="session")
def environ(servers: Servers, worker_id: str) -> Iterator[dict[str, str]]:
    """The settings of this test process's own product."""
    number = 0 if worker_id == "master" else int(worker_id.removeprefix("gw"))
    database = f"test_{worker_id}"
    servers.postgres.create_database(database, owner="advancia_owner", template=TEMPLATE)
    yield servers.environ(database, var=servers.folder / database, cache=number % 8)
    servers.postgres.drop_database(database)


@pytest.fixture(scope="session")
def product_environ(servers: Servers, worker_id: str) -> Iterator[dict[str, str]]:
    """The settings of the product that runs in processes of its own, apart from what tests do in theirs."""
    number = 0 if worker_id == "master" else int(worker_id.removeprefix("gw"))
    database = f"product_{worker_id}"
    servers.postgres.create_database(database, owner="advancia_owner", template=TEMPLATE)
    yield servers.environ(database, var=servers.folder / database, cache=8 + number % 8)
    servers.postgres.drop_database(database)


@pytest.fixture(scope="session")
def settings(environ: dict[str, str]) -> Settings:
    return load_settings(environ)


@pytest.fixture(scope="session")
def app(settings: Settings) -> Iterator[Flask]:
    app = create_app(settings)
    app.testing = True
    app.config["PROPAGATE_EXCEPTIONS"] = False  # an error is a page here, as in production
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def app_context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield
        db.session.rollback()


@pytest.fixture
def session(app_context: None) -> Session:
    """A session of the app's own role; what it commits stays."""
    return db.session()


@pytest.fixture
def owner_connection(settings: Settings) -> Iterator[psycopg.Connection]:
    with psycopg.connect(settings.database_owner_url or "") as connection:
        yield connection
        connection.rollback()


_ids = count(os.getpid() * 1_000_000 + 10**12)


@pytest.fixture
def new_user_id() -> Callable[[], int]:
    """Ids for the ledger alone, which knows no people."""
    return lambda: next(_ids)


@pytest.fixture
def customer(app: Flask) -> Callable[..., Customer]:
    """A new customer: `customer("Amara Okafor", USD="100.00")` has that much to spend."""
    return lambda name="Amara Okafor", **money: new_customer(app, name, **money)


@pytest.fixture
def page(app: Flask) -> Page:
    """A browser without scripts in which nobody is signed in."""
    return Page(InProcess(app))


@pytest.fixture
def page_of(app: Flask) -> Callable[[Customer], Page]:
    """A browser without scripts in which the customer has signed in."""

    def signed_in(customer: Customer) -> Page:
        return sign_in(Page(InProcess(app)), customer)

    return signed_in


@pytest.fixture
def staff_page(app: Flask) -> Callable[..., Page]:
    """A browser in which staff, new or given, have a session with a second factor: `staff_page("support")`."""

    def signed_in(role: str, person: Customer | None = None) -> Page:
        return adopt_session(Page(InProcess(app)), app, person or new_staff(app, role))

    return signed_in


@pytest.fixture
def books(app: Flask) -> Books:
    """The ledger, to be looked at beside the page."""
    return Books(app)
