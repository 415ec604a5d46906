-- While money is paused no transaction is written, whoever calls whichever function. A trigger that is off costs a
-- posting nothing, which a row to be looked up each time would not.
create function ledger.refuse_while_frozen() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception 'money is paused' using errcode = 'LG503';
end $$;

create trigger frozen before insert on ledger.txn
  for each statement execute function ledger.refuse_while_frozen();
alter table ledger.txn disable trigger frozen;

-- Stop or release all postings. The lock that this takes waits for each posting that has begun, and nothing can be
-- posted after it: once the caller has committed, the books stand still. Repeatable.
create function ledger.freeze(p_on boolean) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if p_on then
    alter table ledger.txn enable trigger frozen;
  else
    alter table ledger.txn disable trigger frozen;
  end if;
end $$;

-- Whether postings are stopped.
create function ledger.is_frozen() returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
  select t.tgenabled <> 'D' from pg_catalog.pg_trigger t
  where t.tgrelid = 'ledger.txn'::regclass and t.tgname = 'frozen'
$$;

revoke execute on function ledger.refuse_while_frozen(), ledger.freeze(boolean), ledger.is_frozen() from public;
grant execute on function ledger.freeze(boolean), ledger.is_frozen() to advancia_app;
