-- Two guards that every posting paid for though only our own mistakes could meet them.

-- The foreign keys were 13 % of a posting, and more where many post onto one account of the house, whose row each
-- of them locks. The functions write the ids of accounts that they have just found or opened, which are never
-- deleted; a transaction that is not there is refused by the trigger on the entries; the proof finds both.
alter table ledger.entry drop constraint fk_entry_account_id_account, drop constraint fk_entry_txn_id_txn;

-- A CHECK is evaluated with every change of a balance. A holder is settled when the account is opened.
create function ledger.refuse_holder() returns trigger
language plpgsql as $$
begin
  raise exception 'no account is held by %', new.holder using errcode = '23514';
end $$;
create trigger holder before insert on ledger.account
  for each row when (new.holder < 0) execute function ledger.refuse_holder();
alter table ledger.account drop constraint ck_account_holder;
