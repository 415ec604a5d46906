grant select on ledger.rollup, ledger.seal, ledger.checkpoint, ledger.proof to advancia_app;
revoke execute on all functions in schema ledger from public;
grant execute on function
  ledger.horizon(interval),
  ledger.roll_up(bigint, interval),
  ledger.balance_before(bigint, timestamptz),
  ledger.last_before(bigint, timestamptz),
  ledger.leaves_1(bigint, bigint, bigint, bigint),
  ledger.block_1(bigint, bigint, bigint, bigint),
  ledger.add_seal(bigint, smallint, bigint, bigint, bigint, bigint, bigint, bigint, bytea, bytea, bytea, bytea, bytea, text, timestamptz),
  ledger.note_proof(bigint, bigint, bigint[], bigint[])
to advancia_app;
