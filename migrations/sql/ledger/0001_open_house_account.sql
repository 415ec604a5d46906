-- The id of an account of the house, opened now if it is not there yet.
-- `on conflict do nothing` waits for a rival that is opening it: a wait at this account's place in the
-- lock order, like every other. Raises LG422 when there is no such asset or no such purpose of the house.
create function ledger.open_house_account(p_asset text, p_purpose text) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_id bigint;
begin
  if not exists (select from ledger.asset s where s.code = p_asset)
     or not exists (select from ledger.purpose p where p.name = p_purpose and p.of_house) then
    raise exception 'the house has no account for %/%', p_asset, p_purpose using errcode = 'LG422';
  end if;
  insert into ledger.account as a (holder, asset, purpose) values (0, p_asset, p_purpose)
    on conflict (holder, asset, purpose) do nothing
    returning a.id into v_id;
  if v_id is null then
    select a.id into v_id from ledger.account a where a.holder = 0 and a.asset = p_asset and a.purpose = p_purpose;
  end if;
  return v_id;
end $$;
