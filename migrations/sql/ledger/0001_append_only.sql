-- What is written stays written, for the owner of the tables as well.
create function ledger.refuse_change() returns trigger
language plpgsql as $$
begin
  raise exception 'ledger.% is append-only: post a correcting transaction instead', tg_table_name
    using errcode = '42501';
end $$;

create trigger append_only before update or delete or truncate on ledger.entry
  for each statement execute function ledger.refuse_change();
create trigger append_only before update or delete or truncate on ledger.txn
  for each statement execute function ledger.refuse_change();
-- A posting moves balance and seq; everything else about an account is settled when it is opened.
create trigger append_only
  before update of id, holder, asset, purpose, floor, opened_at or delete or truncate on ledger.account
  for each statement execute function ledger.refuse_change();
