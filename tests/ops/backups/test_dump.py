"""What is told to pg_dump, and what the app's role may read for it."""

from __future__ import annotations

import psycopg
import pytest

from advancia.ops.backups.dump import connected
from advancia.ops.backups.words import size_words


def test_a_password_is_not_on_the_command_line_where_others_could_read_it():
    address, environ = connected(
        "postgresql://advancia_app:hunter2@db.example.com:5433/advancia?sslmode=require"
    )

    assert "hunter2" not in address
    assert environ["PGPASSWORD"] == "hunter2"
    for part in (
        "host=db.example.com",
        "port=5433",
        "user=advancia_app",
        "dbname=advancia",
        "sslmode=require",
    ):
        assert part in address


def test_the_programs_see_nothing_else_of_our_environment(monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "nobody's business")
    monkeypatch.setenv("PGHOST", "elsewhere.example.com")

    _, environ = connected("postgresql://advancia_app@db.example.com/advancia")

    assert environ.keys() == {"PATH", "LC_ALL", "TZ"}


def test_the_apps_role_reads_every_sequence_and_draws_from_none_of_the_ledgers(settings):
    with psycopg.connect(settings.database_url) as app:
        unread = app.execute(
            "select schemaname, sequencename from pg_sequences where schemaname in ('public', 'ledger') "
            "and not has_sequence_privilege(format('%I.%I', schemaname, sequencename), 'select')"
        ).fetchall()

        assert unread == []
        assert app.execute("select count(*) > 5 from pg_sequences").fetchone() == (True,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("select nextval('ledger.txn_id_seq')")


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (None, "-"),
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (3_400_000, "3.4 MB"),
        (10**15, "1,000.0 TB"),
    ],
)
def test_sizes_are_told_as_people_read_them(size, words):
    assert size_words(size) == words
