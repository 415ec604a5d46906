-- Every statement that writes entries brings whole transactions: each is there, its sum is zero for each asset, and
-- no leg comes later. The posting functions see to it as well; this also binds everybody else. (It runs with
-- the rights and the search path of whoever writes; setting a path of its own would cost each posting 2 %.)
create or replace function ledger.require_whole_transactions() returns trigger
language plpgsql as $$
declare
  v_first_id bigint;
  v_last_id bigint;
  v_first_asset text;
  v_last_asset text;
  v_total numeric;
  v_legs bigint;
  v_stored bigint;
begin
  -- One transaction in one asset is nearly every posting, and is spared the grouping.
  select min(a.txn_id), max(a.txn_id), min(a.asset), max(a.asset), sum(a.amount), count(*),
         (select count(*) from ledger.txn t join ledger.entry e on e.txn_id = t.id where t.id = min(a.txn_id))
  into v_first_id, v_last_id, v_first_asset, v_last_asset, v_total, v_legs, v_stored
  from added a;
  if v_legs = 0 or v_first_id = v_last_id and v_first_asset = v_last_asset and v_total = 0 and v_legs = v_stored then
    return null;
  end if;

  select t.txn_id into v_first_id
  from (
    select s.txn_id, sum(s.legs) as legs, bool_or(s.total <> 0) as unbalanced
    from (
      select a.txn_id, count(*) as legs, sum(a.amount) as total from added a group by a.txn_id, a.asset
    ) s
    group by s.txn_id
  ) t
  where t.unbalanced
     or t.legs <> (select count(*) from ledger.txn x join ledger.entry e on e.txn_id = x.id where x.id = t.txn_id)
  limit 1;
  if found then
    raise exception 'transaction % is not there, does not sum to zero for each asset, or had its entries before',
      v_first_id using errcode = '23514';
  end if;
  return null;
end $$;
