"""The statements of the checks. Each gives the rows at fault: which check found it, and a sentence that names it."""

from __future__ import annotations

# One pass over all entries proves the accounts. Each entry of a running account leads from one state, (seq - 1,
# balance before), to the next, (seq, balance after). Every state in between is reached once and left once, so under
# xor all hashes cancel but those of the beginning and the end, which must be (0, 0) and what stands on the account's
# row. With as many entries as the last seq there is exactly one for each step, so nothing but the one unbroken
# chain comes to that, unless two of the hashes collide; the seed is drawn anew for each check.
ACCOUNTS = """
    with e as materialized (
        select account_id, count(*) as entries, sum(amount) as total,
               bit_xor(hash_numeric_extended(balance_after, seq # cast(:seed as bigint))
                       # hash_numeric_extended(balance_after - amount, (seq - 1) # cast(:seed as bigint))) as chain
        from ledger.entry group by account_id
    )
    select a.id, a.holder, a.asset, a.purpose, a.balance, a.seq, coalesce(e.entries, 0) as entries,
           coalesce(e.total, 0) as total, e.account_id
    from ledger.account a
    full join e on e.account_id = a.id
    where a.id is null or e.account_id is null
       or case when a.holder = 0 then a.balance <> 0 or a.seq <> 0
               else a.balance <> e.total or a.seq <> e.entries
                    or e.chain is distinct from
                       hash_numeric_extended(0, cast(:seed as bigint))
                       # hash_numeric_extended(a.balance, a.seq # cast(:seed as bigint)) end
"""

# The rows at fault within the accounts that were found.
CHAIN = """
    select 'chain', format('the entry of account %s in transaction %s has seq %s and balance_after %s; '
                           'with the entry before it, they would be %s and %s',
                           account_id, txn_id, coalesce(seq::text, 'null'), coalesce(balance_after::text, 'null'),
                           seq_before + 1, balance_before + amount)
    from (
        select e.account_id, e.txn_id, e.seq, e.amount, e.balance_after,
               lag(e.seq, 1, 0::bigint) over rising as seq_before,
               lag(e.balance_after, 1, 0::numeric) over rising as balance_before
        from ledger.entry e join ledger.account a on a.id = e.account_id
        where e.account_id = any(:accounts) and a.holder <> 0
        window rising as (partition by e.account_id order by e.txn_id)
    ) e
    where seq is distinct from seq_before + 1 or balance_after is distinct from balance_before + amount
    union all
    select 'orphan', format('the entry of account %s in transaction %s has no account', e.account_id, e.txn_id)
    from ledger.entry e
    where e.account_id = any(:accounts) and not exists (select from ledger.account a where a.id = e.account_id)
    limit :most
"""

# The same for what the quick check has not seen yet: accounts whose figures are no longer those of their checkpoint,
# and of each only the entries after that.
MOVED = """
    select a.id, a.holder, a.asset, a.purpose, a.balance, a.seq, e.last, e.entries,
           coalesce(c.seq, 0) + e.entries as seq_found, coalesce(c.balance, 0) + e.total as balance_found,
           e.chained,
           e.chained and a.seq = coalesce(c.seq, 0) + e.entries
           and a.balance = coalesce(c.balance, 0) + e.total as is_right
    from ledger.account a
    left join ledger.checkpoint c on c.account_id = a.id
    cross join lateral (
        select max(x.txn_id) as last, count(*) as entries, coalesce(sum(x.amount), 0) as total,
               coalesce(bool_and((x.seq = x.seq_before + 1 and x.balance_after = x.balance_before + x.amount) is true),
                        true) as chained
        from (
            select e.txn_id, e.seq, e.amount, e.balance_after,
                   lag(e.seq, 1, coalesce(c.seq, 0)) over rising as seq_before,
                   lag(e.balance_after, 1, coalesce(c.balance, 0::numeric)) over rising as balance_before
            from ledger.entry e
            where e.account_id = a.id and e.txn_id > coalesce(c.txn_id, 0)
            window rising as (order by e.txn_id)
        ) x
    ) e
    where a.holder <> 0 and (c.account_id is null or a.seq <> c.seq or a.balance <> c.balance)
"""

# Transactions and their entries, both ways: every entry has its transaction and account, every transaction its
# entries, which sum to zero for each asset and are what its fingerprint was made of. First only which are wrong, with
# as little kept of each as will do, and without a limit, which would have it planned for the first row; ...
SUSPECTS = """
    select coalesce(t.id, e.txn_id) as id
    from (select * from ledger.txn t where t.id > :after and t.id <= :upto) t
    full join (
        select e.txn_id, sum(e.amount) as total,
               bool_or(a.id is null or e.asset <> a.asset
                       or a.holder = 0 and num_nonnulls(e.seq, e.balance_after) > 0) as is_odd,
               array_agg(a.holder order by a.holder, a.asset, a.purpose) as holders,
               array_agg(a.asset order by a.holder, a.asset, a.purpose) as assets,
               array_agg(a.purpose order by a.holder, a.asset, a.purpose) as purposes,
               array_agg(e.amount order by a.holder, a.asset, a.purpose) as amounts
        from ledger.entry e left join ledger.account a on a.id = e.account_id
        where e.txn_id > :after and e.txn_id <= :upto
        group by e.txn_id
    ) e on e.txn_id = t.id
    where t.id is null or e.txn_id is null or t.id < 1 or e.total <> 0 or e.is_odd
       or e.assets[1] <> any(e.assets) and exists (
            select from ledger.entry x where x.txn_id = e.txn_id group by x.asset having sum(x.amount) <> 0)
       or t.fingerprint <> ledger.linked_fingerprint(
            ledger.fingerprint(t.reference, t.kind, e.holders, e.assets, e.purposes, e.amounts, t.meta, t.effective_at),
            t.is_hold, t.resolves_id, t.reverses_id, t.refunds_id)
"""

# ... then what is wrong with those.
TRANSACTIONS = """
    select coalesce(t.id, e.txn_id) as id, t.reference,
           t.id is null as is_missing, e.txn_id is null as is_bare, e.accounts_missing, e.in_other_asset, e.running,
           case when t.id is not null and e.txn_id is not null and e.accounts_missing is null then
             t.fingerprint <> ledger.linked_fingerprint(
               ledger.fingerprint(
                 t.reference, t.kind, e.holders, e.assets, e.purposes, e.amounts, t.meta, t.effective_at),
               t.is_hold, t.resolves_id, t.reverses_id, t.refunds_id)
           end is true as is_other,
           (select string_agg(format('%s %s', s.total, s.asset), ' and ')
            from (select x.asset, sum(x.amount) as total from ledger.entry x where x.txn_id = e.txn_id
                  group by x.asset having sum(x.amount) <> 0) s) as sums_to
    from (select * from ledger.txn t where t.id = any(:ids)) t
    full join (
        select e.txn_id,
               array_agg(e.account_id) filter (where a.id is null) as accounts_missing,
               array_agg(e.account_id) filter (where e.asset <> a.asset) as in_other_asset,
               array_agg(e.account_id) filter (
                 where a.holder = 0 and num_nonnulls(e.seq, e.balance_after) > 0) as running,
               array_agg(a.holder order by a.holder, a.asset, a.purpose) as holders,
               array_agg(a.asset order by a.holder, a.asset, a.purpose) as assets,
               array_agg(a.purpose order by a.holder, a.asset, a.purpose) as purposes,
               array_agg(e.amount order by a.holder, a.asset, a.purpose) as amounts
        from ledger.entry e left join ledger.account a on a.id = e.account_id
        where e.txn_id = any(:ids)
        group by e.txn_id
    ) e on e.txn_id = t.id
    order by 1
"""

ACCOUNT = """
    select 'account', format('account %s (%s/%s/%s) has floor %s and balance %s: the floor is not '
                             'that of its purpose, or the balance is below it',
                             a.id, a.holder, a.asset, a.purpose, coalesce(a.floor::text, 'null'), a.balance)
    from ledger.account a left join ledger.purpose p on p.name = a.purpose and p.of_house = (a.holder = 0)
    where p.name is null or a.floor is distinct from p.floor or a.balance < a.floor
    limit :most
"""

# What resolves a hold takes all of it, and nothing else resolves anything.
HOLDS = """
    select 'held', case when h.id is null
                        then format('transaction %s resolves transaction %s, which is no hold', r.id, r.resolves_id)
                        else format('transaction %s holds %s on account %s; transaction %s resolves it and takes %s',
                                    h.id, e.amount, e.account_id, r.id, coalesce(-x.amount, 0)) end
    from ledger.txn r
    left join ledger.txn h on h.id = r.resolves_id and h.is_hold
    left join ledger.entry e on e.txn_id = h.id and e.amount > 0
    left join ledger.entry x on x.txn_id = r.id and x.account_id = e.account_id
    where r.resolves_id is not null and r.id > :after and (h.id is null or x.amount is distinct from -e.amount)
    limit :most
"""

# Refunds that stand never sum to more than what the customer got, seen as ledger.legs_of sees it.
REFUNDS = """
    select 'refund', format('the refunds of transaction %s sum to %s; what the customer got by it is %s',
                            r.id, r.refunded, coalesce(g.amount, 0))
    from (
        select t.refunds_id as id, sum(e.amount) as refunded
        from ledger.txn t join ledger.entry e on e.txn_id = t.id and e.amount > 0
        where t.refunds_id in (select n.refunds_id from ledger.txn n where n.refunds_id is not null and n.id > :after)
          and not exists (select from ledger.txn u where u.reverses_id = t.id)
        group by t.refunds_id
    ) r
    cross join lateral (
        select sum(l.amount) as amount
        from (
            select sum(s.amount) as amount
            from (
                select a.holder, e.asset, e.amount, case when o.resolves_id is not null and a.purpose = 'held'
                                                         then 'available' else a.purpose end as purpose
                from ledger.txn o join ledger.entry e on e.txn_id = o.id join ledger.account a on a.id = e.account_id
                where o.id = r.id and a.holder <> 0
            ) s
            group by s.holder, s.asset, s.purpose
        ) l
        where l.amount > 0
    ) g
    where r.refunded > coalesce(g.amount, 0)
    limit :most
"""

ROLLUPS = """
    select 'rollup', format('the roll-up of account %s up to transaction %s has balance %s and %s entries; '
                            'with the roll-up before it, they would be %s and %s',
                            r.account_id, r.upto_txn, r.balance, r.entries,
                            r.balance_before + e.total, r.entries_before + e.entries)
    from (
        select r.*, lag(r.upto_txn, 1, 0::bigint) over rising as upto_before,
               lag(r.balance, 1, 0::numeric) over rising as balance_before,
               lag(r.entries, 1, 0::bigint) over rising as entries_before
        from ledger.rollup r
        window rising as (partition by r.account_id order by r.upto_txn)
    ) r
    cross join lateral (
        select count(*) as entries, coalesce(sum(e.amount), 0) as total from ledger.entry e
        where e.account_id = r.account_id and e.txn_id > r.upto_before and e.txn_id <= r.upto_txn
    ) e
    where r.upto_txn > :after
      and (r.balance <> r.balance_before + e.total or r.entries <> r.entries_before + e.entries)
    limit :most
"""

ROLLED_UP_ACCOUNTS = """
    select 'rollup', format('the roll-up of account %s up to transaction %s is of no account of the house',
                            r.account_id, r.upto_txn)
    from ledger.rollup r left join ledger.account a on a.id = r.account_id and a.holder = 0
    where a.id is null
    limit :most
"""

# What is filed of an account is what its entries are: each once, under its kind and direction, and rising, so that
# a page finds it. The hashes of all of them are joined by xor, as above.
FILING = """
    with listed as (
        select f.account_id, sum(i.entries) as entries, max(i.upto_txn) as upto_txn, bit_xor(i.hash) as hash,
               array_agg(distinct f.kind order by f.kind) as kinds,
               bool_and(i.rises and i.upto_txn = f.upto_txn) as is_in_order
        from (
            select f.*, lag(f.upto_txn, 1, 0::bigint) over (
                       partition by f.account_id, f.kind, f.is_in order by f.upto_txn) as before
            from ledger.filing f
        ) f
        cross join lateral (
            select count(*) as entries, max(i.txn_id) as upto_txn, bool_and(i.txn_id > i.before) as rises,
                   bit_xor(hashtextextended(f.kind, case when f.is_in then i.txn_id else ~i.txn_id end)) as hash
            from (select u.txn_id, lag(u.txn_id, 1, f.before) over (order by u.place) as before
                  from unnest(f.txn_ids) with ordinality u (txn_id, place)) i
        ) i
        group by f.account_id
    ), stored as (
        select e.account_id, count(*) as entries,
               bit_xor(hashtextextended(t.kind, case when e.amount > 0 then t.id else ~t.id end)) as hash
        from ledger.filed f
        join ledger.entry e on e.account_id = f.account_id and e.txn_id <= f.upto_txn
        join ledger.txn t on t.id = e.txn_id
        group by e.account_id
    )
    select 'filing', format('the entries of account %s up to transaction %s are not filed as they are; '
                            'until that is put right, filtered pages of its history leave some out',
                            coalesce(f.account_id, l.account_id), coalesce(f.upto_txn, l.upto_txn))
    from ledger.filed f
    full join listed l on l.account_id = f.account_id
    left join stored s on s.account_id = f.account_id
    where (f.upto_txn, f.entries, f.kinds) is distinct from (l.upto_txn, l.entries, l.kinds)
       or l.is_in_order is not true or (s.entries, s.hash) is distinct from (l.entries, l.hash)
    limit :most
"""

CHECKPOINTS = """
    select 'checkpoint', format('the checkpoint of account %s at transaction %s is not that of an entry',
                                c.account_id, c.txn_id)
    from ledger.checkpoint c
    left join ledger.entry e on e.account_id = c.account_id and e.txn_id = c.txn_id
    where (e.seq = c.seq and e.balance_after = c.balance) is not true
    limit :most
"""

CHECKPOINTS_WITHOUT_ACCOUNT = """
    select 'checkpoint', format('account %s was proven before, and is gone', c.account_id)
    from ledger.checkpoint c left join ledger.account a on a.id = c.account_id
    where a.id is null
    limit :most
"""

SEALS_BEYOND = """
    select 'seal', format('seal %s was proven before, and is gone', p.upto_seal)
    from (select max(upto_seal) as upto_seal from ledger.proof) p
    where p.upto_seal > coalesce((select max(id) from ledger.seal), 0)
    limit :most
"""
