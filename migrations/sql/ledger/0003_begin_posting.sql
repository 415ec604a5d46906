-- One posting a database transaction: a second would begin the order of locks anew. Raises LG423.
create function ledger.begin_posting() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if current_setting('ledger.posted', true) = 'yes' then
    raise exception 'one posting a database transaction: give all legs to one call' using errcode = 'LG423';
  end if;
  perform set_config('ledger.posted', 'yes', true);
end $$;
