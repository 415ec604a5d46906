-- What a transaction came to for each account, for the sake of undoing it. The end of a hold is seen together with
-- its beginning, as if the money had come from `available`: the hold stays resolved whatever happens later, so
-- nothing may go back into `held`, where no other transaction could ever fetch it.
create function ledger.legs_of(p_txn_id bigint)
returns table (holder bigint, asset text, purpose text, amount numeric)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select s.holder, s.asset, s.purpose, sum(s.amount)
  from (
    select a.holder, e.asset, e.amount,
           case when t.resolves_id is not null and a.purpose = 'held' then 'available' else a.purpose end as purpose
    from ledger.txn t
    join ledger.entry e on e.txn_id = t.id
    join ledger.account a on a.id = e.account_id
    where t.id = p_txn_id
  ) s
  group by s.holder, s.asset, s.purpose
  having sum(s.amount) <> 0
$$;
