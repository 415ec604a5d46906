"""How two sides are held against each other: all items of one thing at once, by its sort and its name."""

from __future__ import annotations

from sqlalchemy import text

# One row for each thing, with what either side has of it, or null. It is made first and as a
# whole: a full join passes over both sides once, while without statistics a part of it would be sought row by row.
_PAIRS = """
    with o as (
        select what, ref, min(asset) as asset, count(distinct asset) as assets, sum(amount) as amount,
               coalesce(sum(fee), 0) as fee, bool_or(fee is null) as is_fee_open,
               count(*) filter (where amount <> 0) as n, max(happened_at) as last, min(reference) as reference,
               sum(amount - coalesce(fee, 0)) filter (where reference is not null) as booked,
               bool_or(state = 'not kept') as is_not_kept, bool_or(state = 'rolled back') as is_rolled_back,
               bool_or(state = 'put right') as is_put_right
        from reconciliation_item
        where run_id = :run_id and provider = :provider and side = 'ours'
        group by what, ref
    ), t as (
        select what, ref, min(asset) as asset, sum(amount) as amount, coalesce(sum(fee), 0) as fee,
               bool_or(fee is null) as is_fee_open, count(*) filter (where amount <> 0) as n,
               max(happened_at) as last, min(reference) as reference, max(state) as state
        from reconciliation_item
        where run_id = :run_id and provider = :provider and side = 'theirs'
        group by what, ref
    ), pair as materialized (
        select coalesce(o.what, t.what) as what, coalesce(o.ref, t.ref) as ref,
               o.ref is not null as is_here, t.ref is not null as is_there,
               o.asset as our_asset, t.asset as their_asset, o.amount as our_amount, t.amount as their_amount,
               o.fee as our_fee, t.fee as their_fee, o.n as our_n, t.n as their_n, o.last as our_last, o.booked,
               o.is_fee_open or t.is_fee_open as is_fee_open, coalesce(o.is_not_kept, false) as is_not_kept,
               coalesce(o.is_rolled_back, false) as is_rolled_back,
               coalesce(o.is_put_right, false) as is_put_right, coalesce(o.assets, 1) as our_assets,
               coalesce(o.reference, t.reference) as reference, t.state as their_state,
               greatest(o.last, t.last) >= :young_from as is_young,
               case when t.last >= :begins and t.last < :ends then t.last
                    when o.last >= :begins and o.last < :ends then o.last end as happened_at
        from o full join t on t.what = o.what and t.ref = o.ref
    )
"""
# The first that fits. A payout is under way for days, and booked here once it has arrived; one that has failed, but not
# for good, may still be sent. What staff have put right by
# a posting agrees as soon as its net does.
_KINDS = """
    , judged as (
        select p.*, d.state as deposit_state,
               case
               when is_not_kept then null
               when not is_here then
                   case when their_amount = 0 and their_fee = 0 then null
                        when what = 'payout' and (their_state in ('pending', 'in_transit', 'process', 'check')
                                                  or right(their_state, 10) = '_not_final') then 'timing'
                        when is_young then 'timing'
                        when not their_asset = any(:kept) then 'currency'
                        when d.state = 'paid' then 'duplicate'
                        when d.state in ('failed', 'expired', 'locked', 'returned') then 'state'
                        else 'missing_here' end
               when not is_there then
                   case when our_amount = 0 and our_fee = 0 then null
                        when is_young then 'timing'
                        else 'missing_there' end
               when our_amount = 0 and their_amount = 0 and our_fee = their_fee then null
               when is_put_right and our_asset = their_asset and our_amount - our_fee = their_amount - their_fee
                   then null
               when our_amount <> 0 and their_amount <> 0 and (our_asset <> their_asset or our_assets > 1)
                   then 'currency'
               when our_amount = their_amount then
                   case when is_fee_open or our_fee = their_fee then null
                        when is_young then 'timing'
                        else 'fee' end
               when our_n <> their_n and our_n > 0 and their_n > 0 and our_amount * their_n = their_amount * our_n
                   then 'duplicate'
               when is_young and (our_amount = 0 or their_amount = 0 or what = 'dispute') then 'timing'
               when our_amount = 0 or their_amount = 0 then 'state'
               else 'amount' end as kind
        from pair p
        left join deposit d on d.id = case when not p.is_here and p.reference like 'deposit:%'
                                           then cast(substr(p.reference, 9) as uuid) end
        where p.happened_at is not null
    )
"""

DIFFERENCES = text(
    f"{_PAIRS} {_KINDS} select * from judged where kind is not null order by happened_at, what, ref"
)
# What came and was given back as a whole was compared as well, though it comes to nothing on both sides.
COUNTS = text(f"""{_PAIRS} {_KINDS}
    select what, count(*) filter (where our_n > 0 or their_n > 0 or kind is not null) as compared,
           count(kind) filter (where kind <> 'timing') as differing,
           count(kind) filter (where kind = 'timing') as young,
           count(*) filter (where our_amount <> 0 and not is_young) as here,
           count(*) filter (where their_amount <> 0 and not is_young) as there
    from judged group by what order by what
""")
# What only we have. A refund that has no name at the provider cannot be asked about.
WITHOUT_COUNTERPART = text(f"""{_PAIRS}
    select what, ref from pair
    where is_here and not is_there and (our_amount <> 0 or our_fee <> 0) and not is_not_kept and ref not like 'refund:%'
      and (happened_at is not null or what = 'dispute')
    order by what, ref limit :limit
""")
# By how much the sums of both sides differ for reasons that are known: in each asset, there less here.
EXPLAINED = text(f"""{_PAIRS}
    select asset, sum(net) as net
    from (
        select their_asset as asset, their_amount - their_fee as net from pair where is_there
        union all
        select our_asset, -booked from pair where booked is not null and (is_there or our_last >= :begins)
        union all
        select d.asset, coalesce(d.their_amount, 0) - coalesce(d.our_amount, 0)
        from (
            select distinct on (key) * from reconciliation_difference
            where side = 'outside' and provider = :provider and kind <> 'timing' order by key, id desc
        ) d
        where (d.state in ('open', 'assigned') and d.kind <> 'balance' or d.state = 'resolved' and d.posting is null)
          and not exists (
              select from reconciliation_item i where i.run_id = :run_id and i.provider = :provider
                and i.what = split_part(d.key, ':', 2)
                and i.ref = substr(d.key, length(d.provider) + length(split_part(d.key, ':', 2)) + 3))
    ) nets
    group by asset
""")
CLEARING = text("""
    select a.asset, -coalesce(sum(e.amount), 0) as net
    from ledger.account a left join ledger.entry e on e.account_id = a.id
    where a.holder = 0 and a.purpose = 'clearing.' || :provider
    group by a.asset
""")
