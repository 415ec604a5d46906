"""Our side of the comparison: what the ledger has booked at a provider, named as the provider names it.

Amounts are those of the postings on the provider's clearing account, never those of the features' rows; that each row
has its posting is what the inside proves. The rows tell what a posting is about. What is not booked, though the
provider has moved money (a dispute that is open), is an item without a reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from advancia.core.db import Session
from advancia.payments import offers

# What is booked under each reference of a row: (reference, ref, what, state).
_DEPOSITS = """
    with chosen as materialized (
        select d.id, d.payment_id, d.state from deposit d
        where d.provider = :provider and d.payment_id is not null
          and (d.paid_at >= :since and d.paid_at < :until
               or d.payment_id in (select i.ref from reconciliation_item i
                                   where i.run_id = :run_id and i.provider = :provider and i.side = 'theirs'
                                     and i.what = 'payment'))
    ), booked as (
        select 'deposit:' || id as reference, payment_id as ref, 'payment' as what, state from chosen
        union all select format('deposit:%s:fee', id), payment_id, 'payment', state from chosen
        union all
        select r.reference, c.payment_id, 'payment', 'rolled back'
        from chosen c
        join ledger.txn t on t.reference = 'deposit:' || c.id
        join ledger.txn r on r.reverses_id = t.id
        where r.reference like 'rollback:%'
    )
"""
_STRAYS = """
    with chosen as materialized (
        select s.id, s.payment_id, s.state from stray_payment s
        where s.provider = :provider and s.amount is not null
          and (s.noted_at >= :since and s.noted_at < :until
               or s.payment_id in (select i.ref from reconciliation_item i
                                   where i.run_id = :run_id and i.provider = :provider and i.side = 'theirs'
                                     and i.what = 'payment'))
    ), booked as (
        select 'stray:' || id as reference, payment_id as ref, 'payment' as what, state from chosen
        union all select format('stray:%s:%s', id, step), payment_id, 'payment', state
        from chosen, unnest(array['fee', 'return']) step
    )
"""
# A refund of coins is told by its payment alone, and one that has never reached the provider by no name at all.
_REFUNDS = """
    with chosen as materialized (
        select 'refund:' || r.id as reference, r.state,
               case when :is_crypto then coalesce(d.payment_id, s.payment_id)
                    else coalesce(r.provider_refund_id, 'refund:' || r.id) end as ref,
               case when :is_crypto then 'payment' else 'refund' end as what,
               case when :is_crypto then 'payment'
                    when r.provider_refund_id is null then 'refund' else 'refund_failed' end as what_undone
        from refund r
        left join deposit d on d.id = r.deposit_id
        left join stray_payment s on s.id = r.stray_id
        where r.provider = :provider
          and (r.created_at >= :since and r.created_at < :until
               or r.settled_at >= :since and r.settled_at < :until
               or case when :is_crypto then coalesce(d.payment_id, s.payment_id) else r.provider_refund_id end
                  in (select i.ref from reconciliation_item i
                      where i.run_id = :run_id and i.provider = :provider and i.side = 'theirs'
                        and i.what in ('payment', 'refund', 'refund_failed')))
    ), booked as (
        select reference, ref, what, state from chosen
        union all select format('%s:%s', reference, 'undone'), ref, what_undone, state from chosen
    )
"""
_DISPUTES_CHOSEN = """
    with chosen as materialized (
        select d.* from dispute d
        where d.provider = :provider and d.state in ('open', 'won', 'lost')
          and (d.opened_at >= :since and d.opened_at < :until
               or d.closed_at >= :since and d.closed_at < :until
               or d.state = 'open'
               or d.id in (select i.ref from reconciliation_item i
                           where i.run_id = :run_id and i.provider = :provider and i.side = 'theirs'
                             and i.what in ('dispute', 'dispute_won')))
    )
"""
_DISPUTES = f"""{_DISPUTES_CHOSEN}, booked as (
        select format('dispute:%s:%s', id, step) as reference, id as ref, 'dispute' as what, state
        from chosen, unnest(array['finish', 'rest', 'fee']) step
        where step = 'fee' or state = 'lost'
    )
"""
_PAYOUTS = """
    with booked as (
        select t.reference, split_part(t.reference, ':', 2) as ref,
               case when split_part(t.reference, ':', 3) = 'undone' then 'payout_failed' else 'payout' end as what,
               cast(null as text) as state
        from ledger.txn t
        where t.reference >= 'payout:' and t.reference < 'payout;'
          and (t.created_at >= :since and t.created_at < :until
               or split_part(t.reference, ':', 2) in
                  (select i.ref from reconciliation_item i
                   where i.run_id = :run_id and i.provider = :provider and i.side = 'theirs'
                     and i.what in ('payout', 'payout_failed')))
    )
"""
# What staff have posted to put a difference right counts as what the difference was about.
_CORRECTIONS = """
    with booked as (
        select d.posting as reference, named.ref, named.what, 'put right' as state
        from reconciliation_difference d
        cross join lateral (
            select split_part(d.key, ':', 2) as what,
                   substr(d.key, length(d.provider) + length(split_part(d.key, ':', 2)) + 3) as ref
        ) named
        where d.provider = :provider and d.side = 'outside' and d.posting is not null
          and exists (select from reconciliation_item i
                      where i.run_id = :run_id and i.provider = :provider and i.what = named.what and i.ref = named.ref)
    )
"""
_BOOKED = """
    insert into reconciliation_item
        (run_id, side, provider, item_id, ref, what, asset, amount, fee, state, reference, happened_at)
    select :run_id, 'ours', :provider, t.reference, b.ref, b.what, a.asset,
           -e.amount - coalesce(f.amount, 0), -coalesce(f.amount, 0), b.state, t.reference,
           coalesce(t.effective_at, t.created_at)
    from booked b
    join ledger.txn t on t.reference = b.reference
    join ledger.account a on a.holder = 0 and a.purpose = 'clearing.' || :provider
    join ledger.entry e on e.account_id = a.id and e.txn_id = t.id
    left join ledger.account fa on fa.holder = 0 and fa.purpose = 'fees' and fa.asset = a.asset
    left join ledger.entry f on f.account_id = fa.id and f.txn_id = t.id
    on conflict (run_id, provider, side, item_id) do nothing
"""
_NOT_BOOKED = """
    insert into reconciliation_item
        (run_id, side, provider, item_id, ref, what, asset, amount, fee, state, reference, happened_at)
    select :run_id, 'ours', :provider, n.item_id, n.ref, n.what, n.asset, n.amount, n.fee, n.state, null, n.happened_at
    from expected n
    on conflict (run_id, provider, side, item_id) do nothing
"""
# The provider takes what is disputed at once, and its fee with it; we book both once the dispute is closed.
_OPEN_DISPUTES = f"""{_DISPUTES_CHOSEN}, expected as (
        select 'dispute:' || id as item_id, id as ref, 'dispute' as what, asset, -amount as amount,
               case when fee_booked is null then null else 0 end as fee, state, opened_at as happened_at
        from chosen where state <> 'lost' or borne_by_house
        union all
        select format('dispute:%s:won', id), id, 'dispute_won', asset, amount, null, state, closed_at
        from chosen where state = 'won'
        union all
        select format('dispute:%s:no-fee', id), id, 'dispute', asset, 0, null, state, opened_at
        from chosen where state = 'lost' and not borne_by_house and fee_booked is null
    )
"""
_BORNE_REFUNDS = """
    with expected as (
        select 'refund:' || r.id as item_id, coalesce(r.provider_refund_id, 'refund:' || r.id) as ref,
               'refund' as what, r.asset, -r.amount as amount, cast(0 as numeric) as fee, r.state,
               r.created_at as happened_at
        from refund r
        where r.provider = :provider and r.borne_by_house and r.state <> 'failed' and not :is_crypto
          and not exists (select from ledger.txn t where t.reference = 'refund:' || r.id)
          and (r.created_at >= :since and r.created_at < :until
               or r.provider_refund_id in (select i.ref from reconciliation_item i
                                           where i.run_id = :run_id and i.provider = :provider and i.side = 'theirs'
                                             and i.what = 'refund'))
    )
"""
# Money in a currency that the books do not keep is noted for staff, and nothing else.
NOT_KEPT = "not kept"
_NOT_KEPT = f"""
    with expected as (
        select 'stray:' || s.id as item_id, s.payment_id as ref, 'payment' as what, '?' as asset,
               cast(0 as numeric) as amount, cast(null as numeric) as fee, '{NOT_KEPT}' as state,
               s.noted_at as happened_at
        from stray_payment s
        where s.provider = :provider and s.amount is null
          and s.payment_id in (select i.ref from reconciliation_item i
                               where i.run_id = :run_id and i.provider = :provider and i.side = 'theirs')
    )
"""

STATEMENTS = tuple(
    text(rows + how)
    for rows, how in (
        (_DEPOSITS, _BOOKED),
        (_STRAYS, _BOOKED),
        (_REFUNDS, _BOOKED),
        (_DISPUTES, _BOOKED),
        (_PAYOUTS, _BOOKED),
        (_OPEN_DISPUTES, _NOT_BOOKED),
        (_BORNE_REFUNDS, _NOT_BOOKED),
        (_NOT_KEPT, _NOT_BOOKED),
        (_CORRECTIONS, _BOOKED),
    )
)


@dataclass(frozen=True)
class Period:
    """From `since`, included, to `until`."""

    since: datetime
    until: datetime


def bring(session: Session, *, run_id: int, provider: str, period: Period) -> None:
    """Write down what we have of the period, and of everything that the provider has told of, whenever it was.

    Repeatable; called again after the provider has told more, it adds what belongs to that.
    """
    values: dict[str, Any] = {
        "run_id": run_id,
        "provider": provider,
        "since": period.since,
        "until": period.until,
        "is_crypto": provider in offers.CRYPTO,
    }
    for statement in STATEMENTS:
        session.execute(statement, values)
