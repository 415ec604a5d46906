-- The application reads, and posts through the function; it owns nothing and writes no row by hand.
do $$
begin
  if to_regrole('advancia_app') is null then
    create role advancia_app nologin;
  end if;
exception when insufficient_privilege then
  raise exception 'The role advancia_app does not exist and % may not create it: have a superuser run "create role advancia_app login" and migrate again.', current_user;
end $$;

revoke all on schema ledger from public;
grant usage on schema ledger to advancia_app;
grant select on all tables in schema ledger to advancia_app;
revoke execute on all functions in schema ledger from public;
grant execute on function
  ledger.post(text, text, bigint[], text[], text[], numeric[], jsonb, timestamptz, text),
  ledger.fingerprint(text, text, bigint[], text[], text[], numeric[], jsonb, timestamptz),
  ledger.txn_id_at(timestamptz)
to advancia_app;
