"""The inside checks find each planted difference, under its kind, and nothing else."""

# ruff: noqa: E501 - one planted difference a line

from __future__ import annotations

import random

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from advancia import ledger
from advancia.config import sqlalchemy_url
from advancia.reconciliation import inside
from advancia.reconciliation.found import Found, Kind
from tests.reconciliation.house import House, a_random_month, usd
from tests.support.scratch import WITHOUT_GUARDS, Scratch


@pytest.fixture(scope="module")
def month(scratch_of):
    """Books with some of everything, in which all is right."""
    scratch = scratch_of()
    a_random_month(House(scratch), random.Random(20_26), movements=120)
    return scratch


def found_in(scratch: Scratch, *, with_ledger: bool = False) -> list[Found]:
    with scratch.session() as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        looked = list(inside.look(session, seal_keys=None, progress=lambda *_: None))
    return [one for each in looked for one in each.found if with_ledger or each.tally.check != inside.LEDGER]


def test_in_a_random_month_of_the_product_s_own_movements_nothing_differs(month):
    with month.session() as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        looked = {
            each.tally.check: each for each in inside.look(session, seal_keys=None, progress=lambda *_: None)
        }

    assert [one for each in looked.values() for one in each.found] == []
    assert all(
        each.tally.compared > 0 for name, each in looked.items() if name not in ("webhooks", "work")
    ), {name: each.tally.compared for name, each in looked.items()}
    assert set(looked) == set(inside.WORDS)


ONE = "(select {0} from {1} where {2} order by {0} limit 1)"
# Of those that never lay in suspense, which has its own rows beside them.
STRAIGHT = "not exists (select from stray_payment s where s.deposit_id = {})"
A_DEPOSIT = ONE.format(
    "id",
    "deposit",
    f"state = 'paid' and provider = 'sandbox' and asset = 'USD' and {STRAIGHT.format('deposit.id')}",
)
A_STRAY = ONE.format("id", "stray_payment", "state = 'open'")
OF_DEPOSIT = "stray_id is null and not borne_by_house and " + STRAIGHT.format("{}.deposit_id")
OPEN_DISPUTE = ONE.format(
    "id", "dispute", f"state = 'open' and withheld > 0 and {OF_DEPOSIT.format('dispute')}"
)
LOST_DISPUTE = ONE.format("id", "dispute", f"state = 'lost' and {OF_DEPOSIT.format('dispute')}")
A_REFUND = ONE.format("id", "refund", f"state = 'succeeded' and {OF_DEPOSIT.format('refund')}")
A_FAILED_REFUND = ONE.format("id", "refund", f"state = 'failed' and {OF_DEPOSIT.format('refund')}")
A_TRANSFER = ONE.format("id", "transfer", "true")
NEW_DEPOSIT = """
    insert into deposit (id, user_id, request_id, asset, amount, credited, provider, state, payment_id, expires_at, {0})
    select gen_random_uuid(), user_id, gen_random_uuid(), 'USD', 500, {1}, 'sandbox', '{2}', 'pi_planted', {3}
    from deposit limit 1
"""
NEW_REFUND = f"""
    insert into refund (id, deposit_id, provider, asset, amount, state, created_at)
    values (gen_random_uuid(), {A_DEPOSIT}, 'sandbox', 'USD', 500, '{{}}', now() - interval '{{}}')
"""
NEW_TXN = "select ledger.post('{0}', 'test', '{{0,0}}', '{{USD,USD}}', '{{{1},{2}}}', '{{{3},{4}}}')"
NEW_EVENT = """
    insert into webhook_event (provider, event_id, kind, headers, body, state, outcome, received_at)
    values ('sandbox', 'evt_planted', 'charge.refunded', '{{}}', '', '{}', 'It fits nothing.', now() - interval '2 hours')
"""
NEW_WORK = (
    "insert into outbox (kind, payload, last_error, parked_at) values ('{}', '{{}}', 'No answer', now())"
)

PLANTED = {
    "a paid deposit without its credit": (
        NEW_DEPOSIT.format("paid_at", 500, "paid", "now(), now()"), {("deposits", "missing_here")}),
    "a credit of a deposit that is still open": (
        f"update deposit set state = 'pending', paid_at = null, credited = null where id = {A_DEPOSIT}",
        {("deposits", "state")}),
    "a credit of another amount": (
        f"update deposit set credited = credited + 1 where id = {A_DEPOSIT}", {("deposits", "amount")}),
    "a credit of another asset": (
        f"update deposit set asset = 'BTC' where id = {A_DEPOSIT}", {("deposits", "currency")}),
    "a credit of another customer": (
        f"update deposit set user_id = (select max(u.id) from users u where u.id <> user_id) where id = {A_DEPOSIT}", {("deposits", "state")}),
    "one payment on two deposits": (
        f"update deposit set payment_id = (select max(payment_id) from deposit where provider = 'sandbox' and id <> {A_DEPOSIT}) where id = {A_DEPOSIT}", {("duplicates", "duplicate")}),
    "a refund that is not in the books": (NEW_REFUND.format("succeeded", "1 hour"), {("refunds", "missing_here")}),
    "a refund of which only the books know": (f"delete from refund where id = {A_REFUND}", {("refunds", "missing_there")}),
    "a refund of another amount": (
        f"update refund set amount = amount + 1 where id = {A_REFUND}", {("refunds", "amount")}),
    "a failed refund that was not undone": (
        f"update refund set state = 'failed' where id = {A_REFUND}", {("refunds", "state")}),
    "an undone refund that has not failed": (
        f"update refund set state = 'succeeded' where id = {A_FAILED_REFUND}", {("refunds", "state")}),
    "a payment aside that is not in suspense": (
        "insert into stray_payment (provider, payment_id, asset, amount, words, reason) values ('sandbox', 'pi_planted', 'USD', 500, '5.00 USD', 'It fits nothing.')",
        {("strays", "missing_here"), ("suspense", "balance")}),
    "a payment aside of another amount": (
        f"update stray_payment set amount = amount + 1 where id = {A_STRAY}",
        {("strays", "amount"), ("suspense", "balance")}),
    "a payment aside that is called credited": (
        f"update stray_payment set state = 'credited', user_id = {ONE.format('id', 'users', 'true')} where id = {A_STRAY}",
        {("strays", "state"), ("suspense", "balance")}),
    "a dispute that says it has withheld more": (
        f"update dispute set withheld = withheld + 1 where id = {OPEN_DISPUTE}", {("disputes", "hold")}),
    "a dispute that is over and still holds money": (
        f"update dispute set resolved = true where id = {OPEN_DISPUTE}", {("disputes", "state")}),
    "a hold that waits for nothing": (
        f"delete from dispute where id = {OPEN_DISPUTE}", {("disputes", "missing_there"), ("holds", "hold")}),
    "a dispute that says it has taken less": (
        f"update dispute set taken = taken - 1 where id = {LOST_DISPUTE}", {("disputes", "amount")}),
    "a dispute with another fee": (
        f"update dispute set fee_booked = fee_booked + 1 where id = {LOST_DISPUTE}", {("disputes", "fee")}),
    "a transfer that is not in the books": (
        "insert into transfer (id, sender_id, recipient_id, request_id, asset, amount) select gen_random_uuid(), sender_id, recipient_id, gen_random_uuid(), asset, amount from transfer limit 1",
        {("transfers", "missing_here")}),
    "a transfer of which only the books know": (
        f"delete from transfer where id = {A_TRANSFER}", {("transfers", "missing_there")}),
    "a transfer of another amount": (
        f"update transfer set amount = amount + 1 where id = {A_TRANSFER}", {("transfers", "amount")}),
    "a transfer to somebody else": (
        f"update transfer set sender_id = recipient_id, recipient_id = sender_id where id = {A_TRANSFER}",
        {("transfers", "state")}),
    "more held than the holds come to": (
        "update ledger.account set balance = balance + 1 where id = (select min(id) from ledger.account where purpose = 'held')",
        {("held", "hold")}),
    "money in suspense that nobody put there": (
        NEW_TXN.format("mistake:1", "suspense", "treasury", 700, -700), {("suspense", "balance")}),
    "more money gone from suspense than came": (
        NEW_TXN.format("mistake:1", "suspense", "treasury", -9_000_000, 9_000_000),
        {("suspense", "balance"), ("floors", "floor")}),
    "more money out of the bank than came": (
        NEW_TXN.format("payout:po_planted", "bank", "treasury", 9_000_000, -9_000_000), {("floors", "floor")}),
    "money at a provider without a reason": (
        NEW_TXN.format("mistake:1", "clearing.sandbox", "treasury", 700, -700), {("clearing", "missing_there")}),
    "an event that is parked": (NEW_EVENT.format("parked"), {("webhooks", "stuck")}),
    "an event that nobody works off": (NEW_EVENT.format("received"), {("webhooks", "stuck")}),
    "work that moves money and has given up": (NEW_WORK.format("send_refund"), {("work", "stuck")}),
    "a mail that has given up": (NEW_WORK.format("send_email"), set()),
    "a deposit that should have been closed": (
        NEW_DEPOSIT.format("created_at", "null", "pending", "now() - interval '2 days', now() - interval '3 days'"),
        {("overdue", "stuck")}),
    "a refund that nobody has answered": (
        NEW_REFUND.format("asked", "2 days"), {("refunds", "missing_here"), ("overdue", "stuck")}),
}  # fmt: skip


@pytest.fixture(scope="module")
def owner(month):
    """The database's owner, in whose transaction a difference is planted, found, and taken back."""
    engine = create_engine(sqlalchemy_url(month.environ["DATABASE_OWNER_URL"]))
    with Session(engine) as session:
        session.execute(text(WITHOUT_GUARDS))
        yield session
        session.rollback()
    engine.dispose()


@pytest.mark.parametrize("planted", PLANTED)
def test_what_is_planted_is_found_under_its_kind_and_nothing_else(owner, planted):
    statement, expected = PLANTED[planted]
    with owner.begin_nested() as nested:
        changed = owner.execute(text(statement.replace(":", r"\:")))
        assert changed.rowcount == 1
        found = [one for each in inside.CHECKS for one in each.differences(owner)]
        nested.rollback()

    assert {(one.check, one.kind) for one in found} == expected
    assert len(found) == len(expected), found
    assert all(one.key.startswith(one.check) and one.words.endswith((".", "answer")) for one in found)


def test_money_that_comes_back_to_suspense_by_a_rollback_and_leaves_it_by_a_refund_is_explained(scratch):
    house = House(scratch)
    amara = house.person()
    stray_id = house.stray(usd("40.00"))
    house.credit_stray(stray_id, amara)
    house.roll_back(f"stray:{stray_id}:credit")
    assert found_in(scratch) == []

    house.refund(house.payment_of_stray(stray_id), usd("15.00"))
    assert found_in(scratch) == []


@pytest.mark.parametrize("for_a_deposit", [True, False])
def test_what_waits_again_after_a_rollback_is_explained_however_it_goes_on(scratch, for_a_deposit):
    house = House(scratch)
    amara, bilal = house.person(), house.person()
    deposit_id = house.begin_deposit(amara, usd("40.00")) if for_a_deposit else None
    stray_id = house.stray(usd("40.00"), deposit_id=deposit_id)
    house.credit_stray(stray_id, bilal)
    house.roll_back_a_credit(f"deposit:{deposit_id}" if for_a_deposit else f"stray:{stray_id}:credit")
    assert found_in(scratch) == []
    house.refund(house.payment_of_stray(stray_id), usd("15.00"))
    assert found_in(scratch) == []
    house.credit_stray(stray_id, amara)
    assert found_in(scratch) == []
    house.roll_back_a_credit(f"stray:{stray_id}:credit:2")
    assert found_in(scratch) == []
    house.refund(house.payment_of_stray(stray_id), usd("25.00"))
    assert found_in(scratch) == []


def test_a_credit_out_of_suspense_to_the_deposit_s_customer_or_to_another_one_is_none(scratch):
    house = House(scratch)
    amara, bilal = house.person(), house.person()
    for whose in (amara, bilal):
        deposit_id = house.begin_deposit(amara, usd("12.00"))
        house.credit_stray(house.stray(usd("12.00"), deposit_id=deposit_id), whose)

    assert found_in(scratch) == []


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("update ledger.account set balance = balance + 1 where id = (select min(id) from ledger.account where holder > 0)", Kind.BALANCE),
        ("insert into ledger.entry (account_id, txn_id, amount, asset) select a.id, (select max(id) from ledger.txn where reference like 'transfer:%'), 1, 'USD' from ledger.account a where purpose = 'treasury' union all select 1, 1, 1, 'x' limit 1", Kind.SUM),
    ],
)  # fmt: skip
def test_what_the_ledger_finds_in_itself_is_a_difference_as_well(scratch, statement, kind):
    house = House(scratch)
    amara, bilal = house.person(), house.person()
    house.pay_in(amara, usd("50.00"))
    house.send(amara, bilal, usd("5.00"))
    house.do(
        lambda session: ledger.post(
            session,
            reference="treasury:1",
            kind="test",
            postings=[ledger.Posting(ledger.house("equity"), ledger.house("treasury"), usd("1.00"))],
        )
    )
    scratch.tamper(statement)

    found = found_in(scratch, with_ledger=True)
    assert kind in {one.kind for one in found if one.check == inside.LEDGER}
    assert {one.check for one in found} == {inside.LEDGER}
