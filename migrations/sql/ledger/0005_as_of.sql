-- What was on an account before p_at: the sum of its entries that were posted earlier.
-- A running account's stands in its last such entry. A house account's is a roll-up and the entries after it.
-- Ids rise with created_at but for concurrent postings and a clock that is set back: the bound by id leaves an
-- hour's room, and the time decides.
create function ledger.balance_before(p_account_id bigint, p_at timestamptz) returns numeric
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
  v_low bigint;
  v_balance numeric;
  v_upto bigint;
begin
  if (select a.holder <> 0 from ledger.account a where a.id = p_account_id) then
    return coalesce((select e.balance_after from ledger.entry e
                     where e.account_id = p_account_id and e.txn_id = ledger.last_before(p_account_id, p_at)), 0);
  end if;
  v_low := ledger.txn_id_at(p_at - interval '1 hour');
  select r.balance, r.upto_txn into v_balance, v_upto from ledger.rollup r
  where r.account_id = p_account_id and r.upto_txn < v_low order by r.upto_txn desc limit 1;
  return coalesce(v_balance, 0)
    + coalesce((select sum(e.amount) from ledger.entry e
                where e.account_id = p_account_id and e.txn_id > coalesce(v_upto, 0) and e.txn_id < v_low), 0)
    + coalesce((select sum(e.amount) from ledger.entry e join ledger.txn t on t.id = e.txn_id
                where e.account_id = p_account_id and e.txn_id >= v_low
                  and e.txn_id < ledger.txn_id_at(p_at + interval '1 hour') and t.created_at < p_at), 0);
end $$;

-- The last transaction on a running account that was posted before p_at; null when there is none.
-- Within a running account created_at rises with the id: both are drawn while its row is locked.
create function ledger.last_before(p_account_id bigint, p_at timestamptz) returns bigint
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
  return (
    select e.txn_id from ledger.entry e join ledger.txn t on t.id = e.txn_id
    where e.account_id = p_account_id and e.txn_id < ledger.txn_id_at(p_at + interval '1 hour') and t.created_at < p_at
    order by e.txn_id desc limit 1);
end $$;
