-- Every statement that writes entries brings whole transactions: their sum is zero for each asset, and
-- no leg comes later. The posting function checks the first as well; this also binds everybody else.
create function ledger.require_whole_transactions() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_first_id bigint;
  v_last_id bigint;
  v_first_asset text;
  v_last_asset text;
  v_total numeric;
  v_legs bigint;
begin
  -- One transaction in one asset is nearly every posting, and is spared the grouping.
  select min(a.txn_id), max(a.txn_id), min(a.asset), max(a.asset), sum(a.amount), count(*)
  into v_first_id, v_last_id, v_first_asset, v_last_asset, v_total, v_legs
  from added a;
  if v_legs = 0 then
    return null;
  end if;
  if v_first_id = v_last_id and v_first_asset = v_last_asset then
    if v_total = 0 and v_legs = (select count(*) from ledger.entry e where e.txn_id = v_first_id) then
      return null;
    end if;
  else
    select t.txn_id into v_first_id
    from (
      select s.txn_id, sum(s.legs) as legs, bool_or(s.total <> 0) as unbalanced
      from (
        select a.txn_id, count(*) as legs, sum(a.amount) as total from added a group by a.txn_id, a.asset
      ) s
      group by s.txn_id
    ) t
    where t.unbalanced or t.legs <> (select count(*) from ledger.entry e where e.txn_id = t.txn_id)
    limit 1;
    if not found then
      return null;
    end if;
  end if;
  raise exception 'transaction % does not sum to zero for each asset, or had its entries before', v_first_id
    using errcode = '23514';
end $$;

create trigger whole_transactions after insert on ledger.entry referencing new table as added
  for each statement execute function ledger.require_whole_transactions();
