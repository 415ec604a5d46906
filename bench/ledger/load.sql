-- A long history at once: deposits, transfers with and without a fee, withdrawals, spread over two years.
--
-- It runs as a superuser with the triggers off, and is the one place outside the ledger's functions that writes its
-- tables. What the functions would have left is computed by windows: seq and balance_after of every running account,
-- fingerprints by the ledger's own function. `flask ledger check` proves it afterwards.
--
-- Customer 1 has a tenth of everything: the deep history. Amounts are such that no balance can become negative.
set session_replication_role = replica;
set synchronous_commit = off;
set work_mem = '512MB';
set maintenance_work_mem = '512MB';
select setseed(0.25);

create temp table scale as
select code as asset, (10::numeric ^ greatest(decimals - 4, 0))::numeric(38,0) as unit from ledger.asset where code in ('USD', 'ETH');

create temp table plan as
with drawn as (
  select n, random() as of_kind, random() as of_asset,
         case when random() < 0.1 then 1 else 1 + floor(random() * %(customers)s) end::bigint as source,
         1 + floor(random() * %(customers)s)::bigint as other,
         (1 + floor(random() * 10000))::numeric as units
  from generate_series(1, %(txns)s - 2 * %(customers)s) n
)
select row_number() over (order by a.asset desc, c) as id, 'deposit' as kind, a.asset, c as source, null::bigint as other,
       a.unit * 20000 * %(txns)s as amount, 0::numeric as fee
from generate_series(1, %(customers)s) c cross join scale a
union all
select 2 * %(customers)s + d.n,
       case when d.of_kind < 0.3 then 'deposit' when d.of_kind < 0.4 then 'withdrawal' else 'transfer' end,
       a.asset, d.source, case when d.other = d.source then d.source %% %(customers)s + 1 else d.other end,
       d.units * a.unit, case when d.of_kind > 0.7 then a.unit else 0 end
from drawn d join scale a on a.asset = case when d.of_asset < 0.2 then 'ETH' else 'USD' end;

insert into ledger.account (holder, asset, purpose, floor)
select 0, a.asset, p.name, null from scale a cross join (values ('clearing.stripe'), ('fees')) p (name)
union all
select c, a.asset, 'available', 0 from generate_series(1, %(customers)s) c cross join scale a;

create temp table leg as
select p.id, a.id as account_id, l.holder, p.asset, l.purpose, l.amount
from plan p
cross join lateral (
  select p.source as holder, 'available' as purpose, case when p.kind = 'deposit' then p.amount else -p.amount - p.fee end
  union all
  select 0, 'clearing.stripe', case when p.kind = 'deposit' then -p.amount else p.amount + p.fee end
  where p.kind <> 'transfer'
  union all
  select p.other, 'available', p.amount where p.kind = 'transfer'
  union all
  select 0, 'fees', p.fee where p.kind = 'transfer' and p.fee > 0
) l (holder, purpose, amount)
join ledger.account a on a.holder = l.holder and a.asset = p.asset and a.purpose = l.purpose;

insert into ledger.txn (id, created_at, reference, kind, fingerprint, meta)
overriding system value
select p.id, now() - interval '2 years' * (1 - p.id::float8 / %(txns)s), 'load:' || p.id, p.kind,
       ledger.fingerprint('load:' || p.id, p.kind, l.holders, l.assets, l.purposes, l.amounts,
                          jsonb_build_object('note', 'payment ' || p.id), null),
       jsonb_build_object('note', 'payment ' || p.id)
from plan p
join (
  select id, array_agg(holder order by holder, asset collate "C", purpose collate "C") as holders,
         array_agg(asset order by holder, asset collate "C", purpose collate "C") as assets,
         array_agg(purpose order by holder, asset collate "C", purpose collate "C") as purposes,
         array_agg(amount order by holder, asset collate "C", purpose collate "C") as amounts
  from leg group by id
) l on l.id = p.id
order by p.id;

insert into ledger.entry (account_id, txn_id, seq, amount, balance_after, asset)
select account_id, id, case when holder > 0 then seq end, amount, case when holder > 0 then balance_after end, asset
from (
  select l.*, row_number() over until_now as seq, sum(l.amount) over until_now as balance_after
  from leg l window until_now as (partition by l.account_id order by l.id rows unbounded preceding)
) l
order by id;

update ledger.account a set balance = t.total, seq = t.entries
from (select account_id, sum(amount) as total, count(*) as entries from leg where holder > 0 group by account_id) t
where a.id = t.account_id;

select setval('ledger.txn_id_seq', %(txns)s);
drop table leg, plan, scale;
