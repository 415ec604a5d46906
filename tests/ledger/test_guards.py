"""What the database itself does not let happen, whoever asks."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from advancia.core.money import ASSETS, Money

TABLES = ("asset", "purpose", "account", "txn", "entry", "rollup", "seal", "checkpoint", "proof")

BY_HAND = [
    *(f"delete from ledger.{table}" for table in TABLES),
    *(f"truncate ledger.{table} cascade" for table in TABLES),
    "update ledger.asset set decimals = 3",
    "update ledger.purpose set floor = null",
    "update ledger.account set balance = balance + 1",
    "update ledger.txn set kind = 'x'",
    "update ledger.entry set amount = amount",
    "insert into ledger.asset values ('XAU', 2)",
    "insert into ledger.purpose values ('x', false, 0)",
    "insert into ledger.account (holder, asset, purpose, balance) values (1, 'USD', 'available', 1)",
    "insert into ledger.txn (reference, kind, fingerprint) values ('x', 'x', '')",
    "insert into ledger.entry values (1, 1, null, 1, null, 'USD')",
    "insert into ledger.rollup values (1, 1, 0, 0)",
    "insert into ledger.checkpoint values (1, 1, 1, 0)",
    "insert into ledger.filing values (1, 1, true, 'x', '{1}')",
    "insert into ledger.filed values (1, 1, 1, '{x}')",
    "delete from ledger.filed",
    "insert into ledger.proof (upto_txn, upto_seal) values (1, 0)",
    "update ledger.checkpoint set balance = 0",
    "insert into ledger.seal (id) values (1)",
    "delete from audit_record",
    "update audit_record set reason = 'x'",
    "truncate audit_record",
    "insert into audit_record overriding system value values (1, now(), 1, '', '', '', '')",
    "insert into audit_record (recorded_at, role, action, object_kind, object_id) values (now(), '', '', '', '')",
    "select nextval('audit_record_id_seq')",
    "select * from ledger.account for update",
    "alter table ledger.entry disable trigger all",
    "drop table ledger.entry",
    "create table ledger.mine (id int)",
    "create or replace function ledger.refuse_change() returns trigger language plpgsql as 'begin end'",
    "select ledger.open_or_refuse(1, 'USD', 'available', 1, 'x')",
    "select ledger.open_house_account('USD', 'fees')",
    "select ledger.move(1, 'USD', 'available', 1, 'x')",
    "select ledger.takeable(1, 'USD', 'available', 1)",
    "select ledger.begin_posting()",
    "select ledger.legs_of(1)",
    "select nextval('ledger.txn_id_seq')",
]


MAY_EXECUTE = {
    *("post", "fingerprint", "txn_id_at"),
    *("hold", "resolve", "reverse", "refund", "linked_fingerprint"),
    *("horizon", "roll_up", "balance_before", "last_before"),
    *("leaves_1", "block_1", "add_seal", "note_proof"),
    *("post_many", "file_entries", "sifted"),
    *("freeze", "is_frozen"),
}


@pytest.mark.parametrize("statement", BY_HAND)
def test_the_app_cannot_write_by_hand(app_connection, statement):
    with pytest.raises(errors.InsufficientPrivilege):
        app_connection.execute(statement)


def test_the_app_may_execute_what_it_needs_and_nothing_else(app_connection):
    may = app_connection.execute(
        "select proname from pg_proc where pronamespace = 'ledger'::regnamespace"
        " and has_function_privilege(oid, 'execute') order by 1"
    ).fetchall()
    assert {name for (name,) in may} == MAY_EXECUTE


def test_nobody_else_may_even_look(owner_connection):
    acl = owner_connection.execute(
        "select nspacl::text from pg_namespace where nspname = 'ledger'"
    ).fetchone()[0]
    assert "{=" not in acl
    assert ",=" not in acl


@pytest.mark.parametrize(
    "statement",
    [
        "update ledger.txn set kind = kind",
        "delete from ledger.txn",
        "truncate ledger.txn cascade",
        "update ledger.entry set amount = amount",
        "delete from ledger.entry where false",
        "truncate ledger.entry",
        "delete from ledger.account where false",
        *(
            f"{change} {table}"
            for table in ("ledger.seal", "ledger.rollup", "ledger.proof", "ledger.filing", "audit_record")
            for change in ("delete from", "truncate")
        ),
        "update ledger.seal set key_id = key_id",
        "update ledger.rollup set balance = balance",
        "update ledger.proof set upto_txn = 0",
        "update ledger.filing set kind = kind",
        "update audit_record set role = role",
        "truncate ledger.account cascade",
        *(
            f"update ledger.account set {column} = {column}"
            for column in ("holder", "asset", "purpose", "floor", "opened_at")
        ),
    ],
)
def test_even_the_owner_cannot_change_what_is_written(owner_connection, statement):
    with pytest.raises(errors.InsufficientPrivilege, match="append-only"):
        owner_connection.execute(statement)


def test_even_the_owner_cannot_take_an_account_below_its_floor(bank, owner_connection, new_user_id):
    user = new_user_id()
    bank.pay_in(user, Money.of("1.00", "USD"))
    with pytest.raises(errors.CheckViolation):
        owner_connection.execute("update ledger.account set balance = -1 where holder = %s", (user,))


TRANSACTION = """
    insert into ledger.txn (reference, kind, fingerprint)
    values (gen_random_uuid()::text, 'x', '') returning id
"""


def written_by_hand(connection: psycopg.Connection, *legs: tuple[int, int, str]) -> int:
    """Write a transaction as its owner might; gives its id. A leg is an account, an amount, an asset."""
    txn_id = connection.execute(TRANSACTION).fetchone()[0]
    insert(connection, txn_id, *legs)
    return txn_id


def insert(connection: psycopg.Connection, txn_id: int, *legs: tuple[int, int, str]) -> None:
    values = ", ".join(f"({account}, {txn_id}, {amount}, '{asset}')" for account, amount, asset in legs)
    connection.execute(f"insert into ledger.entry (account_id, txn_id, amount, asset) values {values}")


@pytest.fixture
def accounts(bank, owner_connection, new_user_id) -> list[int]:
    """Four accounts in dollars."""
    users = [new_user_id() for _ in range(4)]
    for user in users:
        bank.pay_in(user, Money.of("1.00", "USD"))
    rows = owner_connection.execute(
        "select id from ledger.account where holder = any(%s)", (users,)
    ).fetchall()
    return [account_id for (account_id,) in rows]


def test_entries_by_hand_must_sum_to_zero(owner_connection, accounts):
    with pytest.raises(errors.CheckViolation, match="sum to zero"):
        written_by_hand(owner_connection, (accounts[0], -5, "USD"), (accounts[1], 6, "USD"))


def test_entries_by_hand_must_sum_to_zero_for_each_asset(owner_connection, accounts):
    with pytest.raises(errors.CheckViolation, match="sum to zero"):
        written_by_hand(owner_connection, (accounts[0], -5, "USD"), (accounts[1], 5, "BTC"))


def test_two_transactions_in_one_statement_cannot_balance_each_other(owner_connection, accounts):
    first = written_by_hand(owner_connection, (accounts[0], -5, "USD"), (accounts[1], 5, "USD"))
    second = owner_connection.execute(TRANSACTION).fetchone()[0]
    with pytest.raises(errors.CheckViolation, match="sum to zero"):
        owner_connection.execute(
            "insert into ledger.entry (account_id, txn_id, amount, asset)"
            " values (%s, %s, 1, 'USD'), (%s, %s, -1, 'USD')",
            (accounts[2], first, accounts[2], second),
        )


def test_late_legs_are_refused_though_they_sum_to_zero(owner_connection, accounts):
    txn_id = written_by_hand(owner_connection, (accounts[0], -5, "USD"), (accounts[1], 5, "USD"))
    with pytest.raises(errors.CheckViolation, match="had its entries before"):
        insert(owner_connection, txn_id, (accounts[2], 5, "USD"), (accounts[3], -5, "USD"))


def test_entries_of_a_transaction_that_is_not_there_are_refused(owner_connection, accounts):
    with pytest.raises(errors.CheckViolation, match="is not there"):
        insert(owner_connection, 10**15, (accounts[0], -5, "USD"), (accounts[1], 5, "USD"))


def test_nobody_opens_an_account_for_a_holder_below_the_house(owner_connection):
    with pytest.raises(errors.CheckViolation, match="no account is held by -1"):
        owner_connection.execute(
            "insert into ledger.account (holder, asset, purpose) values (-1, 'USD', 'fees')"
        )


def test_the_ledgers_assets_are_those_of_the_product(app_connection):
    stored = app_connection.execute("select code, decimals from ledger.asset").fetchall()
    assert dict(stored) == {asset.code: asset.decimals for asset in ASSETS.values()}
