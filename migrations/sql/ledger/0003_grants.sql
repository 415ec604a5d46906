revoke execute on all functions in schema ledger from public;
grant execute on function
  ledger.linked_fingerprint(bytea, boolean, bigint, bigint, bigint),
  ledger.hold(text, text, bigint, text, numeric, jsonb, timestamptz, text),
  ledger.resolve(text, text, text, text, bigint[], text[], numeric[], jsonb, timestamptz, text),
  ledger.reverse(text, text, text, boolean, jsonb, timestamptz, text),
  ledger.refund(text, text, text, text, numeric, bigint, text, boolean, jsonb, timestamptz, text)
to advancia_app;
