revoke execute on all functions in schema ledger from public;
grant execute on function
  ledger.post_many(boolean, text[], text[], jsonb[], timestamptz[], text[], int[], bigint[], text[], text[], numeric[])
to advancia_app;
