-- Every statement that writes entries brings whole transactions: each is there, its sum is zero for each asset, and
-- no leg comes later. The posting functions see to it as well; this also binds everybody else.
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
  v_txn_ids bigint[];
begin
  -- One transaction in one asset is nearly every posting, and is spared the grouping. Two plain statements cost less
  -- than one that asks for the stored legs by the way.
  select min(a.txn_id), max(a.txn_id), min(a.asset), max(a.asset), sum(a.amount), count(*)
  into v_first_id, v_last_id, v_first_asset, v_last_asset, v_total, v_legs
  from added a;
  if v_legs = 0 then
    return null;
  end if;
  if v_first_id = v_last_id and v_first_asset = v_last_asset and v_total = 0 then
    select count(*) into v_stored from ledger.entry e
    where e.txn_id = v_first_id and exists (select from ledger.txn t where t.id = v_first_id);
    if v_legs = v_stored then
      return null;
    end if;
  end if;

  -- A batch: counted together, and only if something is wrong, one by one.
  if v_first_id <> v_last_id
     and not exists (select from added a group by a.txn_id, a.asset having sum(a.amount) <> 0) then
    v_txn_ids := array(select distinct a.txn_id from added a);
    if cardinality(v_txn_ids) = (select count(*) from ledger.txn t where t.id = any(v_txn_ids))
       and v_legs = (select count(*) from ledger.entry e where e.txn_id = any(v_txn_ids)) then
      return null;
    end if;
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
