-- What a transaction has to do with an earlier one.
--   is_hold      it sets money aside, from available to held, until another transaction resolves it
--   resolves_id  it captures or releases that hold; unique, so one wins
--   reverses_id  it undoes that transaction; unique, so at most once
--   refunds_id   it gives back a part of that transaction; several may
-- The indexes leave out the rows without a link, which are nearly all: an ordinary posting does not touch them.
alter table ledger.txn
  add column is_hold boolean not null default false,
  add column resolves_id bigint,
  add column reverses_id bigint,
  add column refunds_id bigint;
create unique index uq_txn_resolves_id on ledger.txn (resolves_id) where resolves_id is not null;
create unique index uq_txn_reverses_id on ledger.txn (reverses_id) where reverses_id is not null;
create index ix_txn_refunds_id on ledger.txn (refunds_id) where refunds_id is not null;
