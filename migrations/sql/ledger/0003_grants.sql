revoke execute on all functions in schema ledger from public;
grant execute on function
  ledger.linked_fingerprint(bytea, boolean, bigint, bigint, bigint)
to advancia_app;
