-- How far the quick check has come: for each account the last entry that was proven, and the last transaction.
create table ledger.checkpoint (
  account_id bigint not null,
  txn_id     bigint not null,
  seq        bigint not null,
  balance    numeric(38,0) not null,
  constraint pk_checkpoint primary key (account_id)
) with (fillfactor = 70);

create table ledger.proof (
  id        bigint generated always as identity,
  upto_txn  bigint not null,
  upto_seal bigint not null,
  proven_at timestamptz not null default clock_timestamp(),
  constraint pk_proof primary key (id)
);
create trigger append_only before update or delete or truncate on ledger.proof
  for each statement execute function ledger.refuse_change();

-- Note what a check has proven: transactions and seals up to these, and running accounts up to these entries.
-- The figures are read from the entries themselves, and a checkpoint never goes back.
create function ledger.note_proof(p_upto_txn bigint, p_upto_seal bigint, p_accounts bigint[], p_txns bigint[])
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  lock table ledger.proof in share row exclusive mode;
  insert into ledger.checkpoint as c (account_id, txn_id, seq, balance)
  select e.account_id, e.txn_id, e.seq, e.balance_after
  from unnest(p_accounts, p_txns) u (account_id, txn_id)
  join ledger.entry e on e.account_id = u.account_id and e.txn_id = u.txn_id
  where e.seq is not null
  on conflict (account_id) do update
    set txn_id = excluded.txn_id, seq = excluded.seq, balance = excluded.balance
    where c.txn_id < excluded.txn_id;
  insert into ledger.proof (upto_txn, upto_seal)
  select p_upto_txn, p_upto_seal
  where p_upto_txn >= coalesce((select max(p.upto_txn) from ledger.proof p), 0)
    and p_upto_seal >= coalesce((select max(p.upto_seal) from ledger.proof p), 0);
end $$;
