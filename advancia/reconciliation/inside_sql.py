"""The statements of the inside checks.

Each `differing` gives a row for each difference, its columns named like the fields of `Found`; each `compared` gives
how much there was to look at. `our_amount` is what the ledger says, `their_amount` what the feature's own row does.
The references of a family are read as a range, since ';' is the character after ':', so an index finds them. All of
them pass over their tables once, and join by hashing: a million rows take seconds.
"""

from __future__ import annotations

# The transactions of a family whose references end with the id, and what they moved for customers and in suspense.
_POSTED = """
    select substr(t.reference, {behind}) as row_id, t.id, t.reference, t.created_at
    from ledger.txn t
    where t.reference >= '{family}:' and t.reference < '{family};' and length(t.reference) = {behind} + 35
"""
_NOBODY = "cast(null as text)"

DEPOSITS_COMPARED = "select count(*) from deposit where state = 'paid'"
DEPOSITS = f"""
    with posted as ({_POSTED.format(family="deposit", behind=9)}),
    credited as (
        select p.row_id, p.id, p.reference, p.created_at, a.holder, e.asset, e.amount
        from posted p join ledger.entry e on e.txn_id = p.id join ledger.account a on a.id = e.account_id
        where a.holder <> 0 and e.amount > 0
    )
    select case when c.row_id is null then 'missing_here' when o.id is null then 'missing_there'
                when d.id is null then 'state' when c.asset <> d.asset then 'currency'
                when c.amount <> d.credited then 'amount' else 'state' end as kind,
           'deposits:' || coalesce(d.id::text, c.row_id) as key,
           case when c.row_id is null then 'The deposit is paid in, but its credit is not in the books.'
                when o.id is null then 'The books have a credit for a deposit that does not exist.'
                when d.id is null then format('The books have a credit for a deposit that is %s.', o.state)
                when c.asset <> d.asset then 'The credit in the books is of another asset than the deposit.'
                when c.amount <> d.credited then 'The credit in the books is not what the deposit says has come.'
                else format('The credit in the books is customer %s''s, and the deposit is customer %s''s.',
                            c.holder, d.user_id) end as words,
           coalesce(d.provider, o.provider) as provider,
           'deposit:' || coalesce(d.id::text, c.row_id) as our_ref, coalesce(d.payment_id, o.payment_id) as their_ref,
           coalesce(d.asset, c.asset) as asset, c.amount as our_amount, d.credited as their_amount,
           coalesce(d.paid_at, c.created_at) as happened_at
    from (select * from deposit where state = 'paid') d
    full join credited c on c.row_id = d.id::text
    left join deposit o on o.id = coalesce(d.id, case when c.row_id ~ '^[0-9a-f-]{{36}}$' then c.row_id::uuid end)
    where (c.row_id is null or d.id is null
           or c.asset <> d.asset or c.amount <> d.credited or c.holder <> d.user_id)
      and not (d.id is null and o.id is not null and exists (
               select from stray_payment s
               where s.deposit_id = o.id and s.state = 'credited' and s.user_id = c.holder))
      and not exists (select from stray_payment s join ledger.txn v on v.reverses_id = c.id
                      where s.deposit_id = o.id)
"""

DUPLICATES_COMPARED = "select count(*) from deposit where state = 'paid' and payment_id is not null"
DUPLICATES = """
    select 'duplicate' as kind, format('duplicates:%s:%s', provider, payment_id) as key,
           format('One payment was booked %s times.', count(*)) as words, provider,
           string_agg(our_ref, ', ' order by our_ref) as our_ref, payment_id as their_ref,
           case when count(distinct asset) = 1 then min(asset) end as asset,
           case when count(distinct asset) = 1 then sum(amount) end as our_amount,
           case when count(distinct asset) = 1 then max(amount) end as their_amount, max(at) as happened_at
    from (
        select provider, payment_id, 'deposit:' || id as our_ref, asset, credited as amount, paid_at as at
        from deposit where state = 'paid' and payment_id is not null
        union all
        select s.provider, s.payment_id, 'stray:' || s.id, s.asset, s.amount, s.noted_at
        from stray_payment s
        where not exists (select from deposit d where d.id = s.deposit_id and d.state = 'paid' and s.state = 'credited')
    ) b
    group by provider, payment_id having count(*) > 1
"""

REFUNDS_COMPARED = "select count(*) from refund"
REFUNDS = f"""
    with posted as ({_POSTED.format(family="refund", behind=8)}),
    taken as (
        select p.row_id, p.id, p.reference, p.created_at, min(e.asset) as asset,
               -sum(e.amount) filter (where a.holder <> 0 or a.purpose = 'suspense') as amount
        from posted p join ledger.entry e on e.txn_id = p.id join ledger.account a on a.id = e.account_id
        group by p.row_id, p.id, p.reference, p.created_at
    )
    select case when x.row_id is null then 'missing_here' when r.id is null then 'missing_there'
                when x.asset <> r.asset then 'currency'
                when x.amount is distinct from r.amount then 'amount' else 'state' end as kind,
           'refunds:' || coalesce(r.id::text, x.row_id) as key,
           case when x.row_id is null then 'The refund is not in the books.'
                when r.id is null then 'The books have a refund that does not exist.'
                when x.asset <> r.asset then 'The refund in the books is of another asset than the refund itself.'
                when x.amount is distinct from r.amount then 'The books have given back another amount than the refund.'
                when r.state = 'failed' then 'The refund has failed, but the books have not undone it.'
                else format('The books have undone a refund that is %s.', r.state) end as words,
           r.provider, 'refund:' || coalesce(r.id::text, x.row_id) as our_ref, r.provider_refund_id as their_ref,
           coalesce(r.asset, x.asset) as asset, x.amount as our_amount, r.amount as their_amount,
           coalesce(r.created_at, x.created_at) as happened_at
    from refund r
    full join taken x on x.row_id = r.id::text
    left join ledger.txn u on u.reference = format('refund:%s:undone', r.id)
    where r.id is null
       or x.row_id is null and not r.borne_by_house
       or x.row_id is not null and (
            x.asset <> r.asset or x.amount is distinct from r.amount
            or r.state <> 'failed' and u.id is not null
            or r.state = 'failed' and u.id is null
               and not exists (select from ledger.txn v where v.reverses_id = x.id))
"""

STRAYS_COMPARED = "select count(*) from stray_payment where amount is not null"
STRAYS = """
    with posted as (
        select split_part(t.reference, ':', 2) as row_id, split_part(t.reference, ':', 3) as step, t.id, t.created_at,
               e.asset, e.amount
        from ledger.txn t
        left join (select e.txn_id, e.asset, e.amount from ledger.entry e
                   join ledger.account a on a.id = e.account_id and a.holder = 0 and a.purpose = 'suspense') e
          on e.txn_id = t.id
        where t.reference >= 'stray:' and t.reference < 'stray;'
    ), came as (select * from posted where step = ''),
    credits as (
        select p.row_id, bool_or(v.id is null) as stands
        from posted p left join ledger.txn v on v.reverses_id = p.id where p.step = 'credit' group by p.row_id
    )
    select case when c.row_id is null then 'missing_here' when s.id is null then 'missing_there'
                when c.asset is distinct from s.asset then 'currency'
                when c.amount is distinct from s.amount then 'amount' else 'state' end as kind,
           'strays:' || coalesce(s.id::text, c.row_id) as key,
           case when c.row_id is null then 'The payment was put aside, but its money is not in suspense.'
                when s.id is null then 'The books have put money into suspense for a payment that nobody has noted.'
                when c.asset is distinct from s.asset then 'What is in suspense is of another asset than the payment.'
                when c.amount is distinct from s.amount
                  then 'What was put into suspense is not what the payment came to.'
                when s.state = 'credited' then 'The payment is called credited, but the books have not credited it.'
                else format('The books have credited a payment that is %s.', s.state) end as words,
           s.provider, 'stray:' || coalesce(s.id::text, c.row_id) as our_ref, s.payment_id as their_ref,
           coalesce(s.asset, c.asset) as asset, c.amount as our_amount, s.amount as their_amount,
           coalesce(s.noted_at, c.created_at) as happened_at
    from (select * from stray_payment where amount is not null) s
    full join came c on c.row_id = s.id::text
    left join credits k on k.row_id = s.id::text
    left join ledger.txn l on l.reference = 'deposit:' || s.deposit_id and s.state = 'credited'
    where c.row_id is null or s.id is null or c.asset is distinct from s.asset or c.amount is distinct from s.amount
       or s.state = 'credited' and k.row_id is null and l.id is null
       or s.state <> 'credited' and k.stands
"""

DISPUTES_COMPARED = "select count(*) from dispute"
DISPUTES = """
    with posted as (
        select split_part(t.reference, ':', 2) as row_id, min(t.created_at) as created_at,
               bool_or(t.step = 'hold') as is_held, bool_or(t.step = 'finish') as is_finished,
               coalesce(sum(e.amount) filter (where t.step = 'hold' and a.purpose = 'held'), 0) as held,
               coalesce(sum(e.amount) filter (where t.step = 'fee' and a.purpose like 'clearing.%'), 0) as fee,
               coalesce(sum(e.amount) filter (where t.step <> 'fee' and a.purpose like 'clearing.%'), 0) as taken
        from (select *, split_part(reference, ':', 3) as step from ledger.txn
              where reference >= 'dispute:' and reference < 'dispute;') t
        left join ledger.entry e on e.txn_id = t.id
        left join ledger.account a on a.id = e.account_id
        group by 1
    )
    select c.kind, format('disputes:%s:%s', coalesce(d.id, p.row_id), c.kind) as key, c.words, d.provider,
           'dispute:' || coalesce(d.id, p.row_id) as our_ref, coalesce(d.id, p.row_id) as their_ref,
           d.asset, c.our_amount, c.their_amount, coalesce(d.opened_at, p.created_at) as happened_at
    from dispute d
    full join posted p on p.row_id = d.id
    cross join lateral (
        select 'missing_there' as kind, 'The books have postings of a dispute that does not exist.' as words,
               cast(null as numeric) as our_amount, cast(null as numeric) as their_amount
        where d.id is null
        union all
        select 'hold', 'What the books have set aside for the dispute is not what it says was withheld.',
               coalesce(p.held, 0), coalesce(d.withheld, 0)
        where d.id is not null and coalesce(p.held, 0) <> coalesce(d.withheld, 0)
        union all
        select 'state', case when d.resolved then 'The dispute is over, but the books still hold its money.'
                             else 'The books have let go of the money of a dispute that is not over.' end,
               p.held, d.withheld
        where d.withheld > 0 and p.is_held and d.resolved <> p.is_finished
        union all
        select 'amount', 'What the books have taken for the dispute is not what it says was taken.',
               coalesce(p.taken, 0), coalesce(d.taken, 0)
        where d.id is not null and coalesce(p.taken, 0) <> coalesce(d.taken, 0)
          and not (d.borne_by_house and coalesce(p.taken, 0) = 0)
        union all
        select 'fee', 'The fee in the books is not the one that the dispute says was booked.',
               coalesce(p.fee, 0), coalesce(d.fee_booked, 0)
        where d.id is not null and coalesce(p.fee, 0) <> coalesce(d.fee_booked, 0)
    ) c
"""

TRANSFERS_COMPARED = "select count(*) from transfer"
TRANSFERS = f"""
    with posted as ({_POSTED.format(family="transfer", behind=10)}),
    moved as (
        select p.row_id, p.created_at, min(e.asset) as asset,
               min(a.holder) filter (where e.amount < 0) as sender, -sum(e.amount) filter (where e.amount < 0) as paid,
               min(a.holder) filter (where e.amount > 0 and a.holder <> 0) as recipient,
               sum(e.amount) filter (where e.amount > 0 and a.holder <> 0) as got
        from posted p join ledger.entry e on e.txn_id = p.id join ledger.account a on a.id = e.account_id
        group by p.row_id, p.created_at
    )
    select case when m.row_id is null then 'missing_here' when t.id is null then 'missing_there'
                when m.asset <> t.asset then 'currency'
                when m.got is distinct from t.amount or m.paid is distinct from t.amount + t.fee then 'amount'
                else 'state' end as kind,
           'transfers:' || coalesce(t.id::text, m.row_id) as key,
           case when m.row_id is null then 'The transfer is not in the books.'
                when t.id is null then 'The books have a transfer that does not exist.'
                when m.asset <> t.asset then 'The books have moved another asset than the transfer says.'
                when m.got is distinct from t.amount or m.paid is distinct from t.amount + t.fee
                  then 'The books have moved another amount than the transfer says.'
                else 'The books have moved it between other customers than the transfer says.' end as words,
           {_NOBODY} as provider, 'transfer:' || coalesce(t.id::text, m.row_id) as our_ref, {_NOBODY} as their_ref,
           coalesce(t.asset, m.asset) as asset, m.got as our_amount, t.amount as their_amount,
           coalesce(t.created_at, m.created_at) as happened_at
    from transfer t
    full join moved m on m.row_id = t.id::text
    where m.row_id is null or t.id is null or m.asset <> t.asset
       or m.got is distinct from t.amount or m.paid is distinct from t.amount + t.fee
       or m.sender is distinct from t.sender_id or m.recipient is distinct from t.recipient_id
"""

_OPEN_HOLDS = """
    select t.reference, t.created_at, e.account_id, e.asset, e.amount, a.holder
    from ledger.txn t
    join ledger.entry e on e.txn_id = t.id and e.amount > 0
    join ledger.account a on a.id = e.account_id and a.purpose = 'held'
    where t.is_hold and not exists (select from ledger.txn r where r.resolves_id = t.id)
"""

HELD_COMPARED = "select count(*) from ledger.account where purpose = 'held'"
HELD = f"""
    with holds as (select account_id, sum(amount) as amount from ({_OPEN_HOLDS}) h group by account_id)
    select 'hold' as kind, format('held:%s:%s', a.holder, a.asset) as key,
           format('What customer %s has held is not what their open holds come to.', a.holder) as words,
           {_NOBODY} as provider, {_NOBODY} as our_ref, {_NOBODY} as their_ref, a.asset,
           a.balance as our_amount, coalesce(h.amount, 0) as their_amount, cast(null as timestamptz) as happened_at
    from ledger.account a left join holds h on h.account_id = a.id
    where a.purpose = 'held' and a.balance <> coalesce(h.amount, 0)
"""

HOLDS_COMPARED = "select count(*) from ledger.txn where is_hold"
HOLDS = f"""
    select 'hold' as kind, 'holds:' || h.reference as key,
           format('Money of customer %s is held, and nothing is open that it waits for.', h.holder) as words,
           d.provider, h.reference as our_ref, {_NOBODY} as their_ref, h.asset, h.amount as our_amount,
           cast(null as numeric) as their_amount, h.created_at as happened_at
    from ({_OPEN_HOLDS}) h
    left join dispute d on h.reference = format('dispute:%s:hold', d.id)
    where d.id is null
"""

# What lies on the accounts of the house: the last roll-up, and what came after it.
_OF_HOUSE = """
    select a.id, a.asset, a.purpose, coalesce(r.balance, 0) + coalesce((
               select sum(e.amount) from ledger.entry e
               where e.account_id = a.id and e.txn_id > coalesce(r.upto_txn, 0)), 0) as balance
    from ledger.account a
    left join lateral (select r.upto_txn, r.balance from ledger.rollup r
                       where r.account_id = a.id order by r.upto_txn desc limit 1) r on true
    where a.holder = 0
"""

SUSPENSE_COMPARED = """
    select count(*) from (
        select asset from ledger.account where holder = 0 and purpose = 'suspense'
        union
        select asset from stray_payment where state = 'open' and amount is not null
    ) assets
"""
# In suspense lie the payments that are open, those whose credit was rolled back (less what went back to the payer after
# that), and what a difference with a provider was put right by, less what of that was sent on.
SUSPENSE = f"""
    with legs as (
        select t.id, t.reference, t.reverses_id, e.asset, e.amount
        from ledger.account a
        join ledger.entry e on e.account_id = a.id join ledger.txn t on t.id = e.txn_id
        where a.holder = 0 and a.purpose = 'suspense'
    ), rolled_back as (
        select s.id, s.deposit_id, s.asset, s.amount - s.taken as amount, v.id as since
        from stray_payment s
        join ledger.txn c on c.reference in ('deposit:' || s.deposit_id, format('stray:%s:credit', s.id))
        join ledger.txn v on v.reverses_id = c.id
        where s.state = 'credited' and s.amount is not null
          and not exists (select from ledger.txn n where n.reference = format('stray:%s:credit:2', s.id))
    ), corrected as (
        select t.id from ledger.txn t
        where t.reference >= 'reconciliation:' and t.reference < 'reconciliation;'
          and (split_part(t.reference, ':', 3) = 'onward'
               or exists (select from ledger.entry e join ledger.account a on a.id = e.account_id
                      where e.txn_id = t.id and a.holder = 0 and a.purpose like 'clearing.%'))
    ), explained as (
        select asset, amount - taken as amount from stray_payment where state = 'open' and amount is not null
        union all
        select asset, amount from rolled_back
        union all
        select l.asset, l.amount from rolled_back b
        join refund r on r.stray_id = b.id or r.deposit_id = b.deposit_id
        join legs l on l.reference in ('refund:' || r.id, format('refund:%s:undone', r.id)) and l.id > b.since
        union all
        select l.asset, l.amount from rolled_back b
        join dispute d on d.stray_id = b.id or d.deposit_id = b.deposit_id
        join legs l on l.reference like 'dispute:' || d.id || ':%' and l.id > b.since
        union all
        select l.asset, l.amount from legs l
        where l.id in (select id from corrected) or l.reverses_id in (select id from corrected)
    )
    select 'balance' as kind, 'suspense:' || coalesce(h.asset, x.asset) as key,
           'What lies in suspense is not what the payments that wait there come to.' as words,
           {_NOBODY} as provider, {_NOBODY} as our_ref, {_NOBODY} as their_ref, coalesce(h.asset, x.asset) as asset,
           coalesce(h.balance, 0) as our_amount, coalesce(x.amount, 0) as their_amount,
           cast(null as timestamptz) as happened_at
    from (select asset, balance from ({_OF_HOUSE}) o where purpose = 'suspense') h
    full join (select asset, sum(amount) as amount from explained group by asset) x on x.asset = h.asset
    where coalesce(h.balance, 0) <> coalesce(x.amount, 0)
"""

FLOORS_COMPARED = "select count(*) from ledger.account where holder = 0 and purpose in ('suspense', 'bank')"
# Suspense is owed to somebody (plus), and what has been paid out to the bank is ours (minus).
FLOORS = f"""
    select 'floor' as kind, format('floors:%s:%s', purpose, asset) as key,
           case purpose when 'suspense' then 'More has left suspense than ever came there.'
                        else 'More has come out of the bank than was ever paid out to it.' end as words,
           {_NOBODY} as provider, {_NOBODY} as our_ref, {_NOBODY} as their_ref, asset, balance as our_amount,
           cast(0 as numeric) as their_amount, cast(null as timestamptz) as happened_at
    from ({_OF_HOUSE}) h
    where purpose = 'suspense' and balance < 0 or purpose = 'bank' and balance > 0
"""

CLEARING_COMPARED = """
    select count(*) from ledger.account a join ledger.entry e on e.account_id = a.id
    where a.holder = 0 and (a.purpose like 'clearing.%' or a.purpose = 'bank')
"""
CLEARING = f"""
    select 'missing_there' as kind, format('clearing:%s:%s', t.id, a.purpose) as key,
           'Something was booked at a provider, and no deposit, refund, dispute or payout explains it.' as words,
           case when a.purpose like 'clearing.%' then substr(a.purpose, 10) end as provider, t.reference as our_ref,
           {_NOBODY} as their_ref, e.asset, e.amount as our_amount, cast(null as numeric) as their_amount,
           t.created_at as happened_at
    from ledger.account a
    join ledger.entry e on e.account_id = a.id
    join ledger.txn t on t.id = e.txn_id
    where a.holder = 0 and (a.purpose like 'clearing.%' or a.purpose = 'bank') and t.reverses_id is null
      and split_part(t.reference, ':', 1)
          not in ('deposit', 'refund', 'stray', 'dispute', 'payout', 'reconciliation')
"""

WEBHOOKS_COMPARED = "select count(*) from webhook_event"
WEBHOOKS = f"""
    select 'stuck' as kind, 'webhooks:' || id as key,
           case state when 'parked'
                      then format('An event (%s) is parked: %s', kind, left(coalesce(outcome, 'no reason told'), 300))
                      else format('An event (%s) has waited for more than an hour.', kind) end as words,
           provider, 'webhook:' || id as our_ref, coalesce(object_id, event_id) as their_ref, {_NOBODY} as asset,
           cast(null as numeric) as our_amount, cast(null as numeric) as their_amount, received_at as happened_at
    from webhook_event
    where state = 'parked' or state = 'received' and received_at < now() - interval '1 hour'
"""

WORK_COMPARED = "select count(*) from outbox where kind = any(:moves_money)"
WORK = f"""
    select 'stuck' as kind, 'work:' || id as key,
           format('Work that moves money (%s) has given up: %s', replace(kind, '_', ' '),
                  left(coalesce(last_error, 'no reason told'), 300)) as words,
           {_NOBODY} as provider, 'work:' || id as our_ref, {_NOBODY} as their_ref, {_NOBODY} as asset,
           cast(null as numeric) as our_amount, cast(null as numeric) as their_amount, created_at as happened_at
    from outbox
    where parked_at is not null and done_at is null and kind = any(:moves_money)
"""

OVERDUE_COMPARED = """
    select (select count(*) from deposit where state in ('created', 'pending'))
           + (select count(*) from refund where state in ('asked', 'pending'))
"""
OVERDUE = f"""
    select 'stuck' as kind, 'overdue:deposit:' || id as key,
           'The deposit should have been closed more than a day ago, and is still open.' as words, provider,
           'deposit:' || id as our_ref, checkout_id as their_ref, asset, cast(null as numeric) as our_amount,
           amount as their_amount, created_at as happened_at
    from deposit
    where state in ('created', 'pending') and expires_at < now() - interval '1 day'
    union all
    select 'stuck', 'overdue:refund:' || id, 'The refund was asked for more than a day ago, and nobody has answered.',
           provider, 'refund:' || id, coalesce(provider_refund_id, {_NOBODY}), asset, amount, cast(null as numeric),
           created_at
    from refund
    where state = 'asked' and created_at < now() - interval '1 day'
"""
