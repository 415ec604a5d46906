-- What a house account came to, up to a transaction: its balance is the last of these and the entries after it.
-- Rows are only ever added, so the balance at any earlier time is near one of them as well.
create table ledger.rollup (
  account_id bigint not null,
  upto_txn   bigint not null,
  balance    numeric(38,0) not null,
  entries    bigint not null,
  constraint pk_rollup primary key (account_id, upto_txn),
  constraint fk_rollup_account_id_account foreign key (account_id) references ledger.account
);
create trigger append_only before update or delete or truncate on ledger.rollup
  for each statement execute function ledger.refuse_change();

-- Add a row for each house account that has at least p_least entries since its last one; gives how many.
-- It waits for the horizon itself, so a row can never leave anything out. Raises LG503 as ledger.horizon does.
create function ledger.roll_up(p_least bigint default 1000, p_patience interval default '5 s') returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_upto constant bigint := (select h.upto_txn from ledger.horizon(p_patience) h);
  v_rows integer;
begin
  insert into ledger.rollup (account_id, upto_txn, balance, entries)
  select a.id, v_upto, coalesce(r.balance, 0) + t.total, coalesce(r.entries, 0) + t.entries
  from ledger.account a
  left join lateral (
    select r.upto_txn, r.balance, r.entries from ledger.rollup r
    where r.account_id = a.id order by r.upto_txn desc limit 1
  ) r on true
  cross join lateral (
    select coalesce(sum(e.amount), 0) as total, count(*) as entries from ledger.entry e
    where e.account_id = a.id and e.txn_id > coalesce(r.upto_txn, 0) and e.txn_id <= v_upto
  ) t
  where a.holder = 0 and t.entries >= greatest(p_least, 1);
  get diagnostics v_rows = row_count;
  return v_rows;
end $$;
