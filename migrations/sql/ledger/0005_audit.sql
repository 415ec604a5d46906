-- The audit trail is written once. The app adds and reads lines; number and time are given by the database.
revoke all on public.audit_record from advancia_app;
revoke all on sequence public.audit_record_id_seq from advancia_app;
grant select on public.audit_record to advancia_app;
grant insert (actor_id, role, action, object_kind, object_id, before, after, address, reason, request_id)
  on public.audit_record to advancia_app;

create function ledger.refuse_audit_change() returns trigger
language plpgsql as $$
begin
  raise exception 'the audit trail is append-only' using errcode = '42501';
end $$;
create trigger append_only before update or delete or truncate on public.audit_record
  for each statement execute function ledger.refuse_audit_change();

-- The horizon relies on a transaction id being drawn before the number of a line is.
create function ledger.own_a_transaction_id() returns trigger
language plpgsql as $$
begin
  perform pg_current_xact_id();
  return null;
end $$;
create trigger own_a_transaction_id before insert on public.audit_record
  for each statement execute function ledger.own_a_transaction_id();
