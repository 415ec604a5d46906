-- The ledger's tables. Nothing but the functions of this schema writes to them.
create schema ledger;

create table ledger.asset (
  code     text collate "C" not null,
  decimals smallint not null,
  constraint pk_asset primary key (code),
  constraint ck_asset_decimals check (decimals between 0 and 30)
);

-- What an account is for. `floor` is the least balance its accounts may have; null: a debt is allowed.
create table ledger.purpose (
  name     text collate "C" not null,
  of_house boolean not null,
  floor    numeric(38,0),
  constraint pk_purpose primary key (name),
  -- The house's accounts keep no running balance, so there is nothing that a floor could guard.
  constraint ck_purpose_floor check (not of_house or floor is null)
);

-- One holder, one asset, one purpose. Holder 0 is the house, every other the id of a user.
-- Customers' accounts are running: `balance` and `seq` (the number of their entries) are kept on the row.
-- The house's rows are never updated, so no posting queues behind another for one of them.
-- balance and seq stand in no index and half of each page is free: every update stays on its page.
create table ledger.account (
  id        bigint generated always as identity,
  holder    bigint not null,
  balance   numeric(38,0) not null default 0,
  seq       bigint not null default 0,
  floor     numeric(38,0),
  opened_at timestamptz not null default clock_timestamp(),
  asset     text collate "C" not null,
  purpose   text collate "C" not null,
  constraint pk_account primary key (id),
  constraint uq_account_holder_asset_purpose unique (holder, asset, purpose),
  constraint fk_account_asset_asset foreign key (asset) references ledger.asset,
  constraint fk_account_purpose_purpose foreign key (purpose) references ledger.purpose,
  constraint ck_account_holder check (holder >= 0),
  constraint ck_account_floor check (balance >= floor)
) with (fillfactor = 50);

-- A set of entries that sum to zero for each asset. The id is drawn after the accounts are locked, so
-- that it rises with seq in every running account. No CHECK here: each costs a posting 2 %, and the one
-- function that writes these rows checks what it is given. effective_at null: in effect when it was posted.
create table ledger.txn (
  id           bigint generated always as identity,
  created_at   timestamptz not null default clock_timestamp(),
  effective_at timestamptz,
  reference    varchar(200) collate "C" not null,
  kind         varchar(64) collate "C" not null,
  fingerprint  bytea not null,
  request_id   text,
  meta         jsonb,
  constraint pk_txn primary key (id),
  constraint uq_txn_reference unique (reference)
);

-- Plus is a credit. seq and balance_after are null on the accounts of the house.
create table ledger.entry (
  account_id    bigint not null,
  txn_id        bigint not null,
  seq           bigint,
  amount        numeric(38,0) not null,
  balance_after numeric(38,0),
  asset         text collate "C" not null,
  constraint pk_entry primary key (account_id, txn_id),
  constraint fk_entry_account_id_account foreign key (account_id) references ledger.account,
  constraint fk_entry_txn_id_txn foreign key (txn_id) references ledger.txn,
  constraint ck_entry check (amount <> 0 and (seq is null) = (balance_after is null))
);
create index ix_entry_txn_id on ledger.entry (txn_id);
