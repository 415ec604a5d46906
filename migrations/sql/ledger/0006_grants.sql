grant select on ledger.filing, ledger.filed to advancia_app;
revoke execute on all functions in schema ledger from public;
grant execute on function
  ledger.file_entries(bigint, bigint),
  ledger.sifted(bigint, text[], boolean, bigint, bigint, integer)
to advancia_app;
