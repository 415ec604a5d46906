-- The least that could be called a ledger: the same facts with no rules, no links and no index beyond its keys.
create table account (
  id bigint primary key, balance numeric(38,0) not null default 0, seq bigint not null default 0
) with (fillfactor = 50);
create table txn (
  id bigint generated always as identity primary key, reference text not null unique,
  created_at timestamptz not null default now()
);
create table entry (
  account_id bigint not null, txn_id bigint not null, amount numeric(38,0) not null, primary key (account_id, txn_id)
);
