-- How much of p_amount can be taken from a customer's account, which stays locked: no more than lies above its
-- floor, and nothing from an account that was never opened.
create function ledger.takeable(p_holder bigint, p_asset text, p_purpose text, p_amount numeric) returns numeric
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_takeable numeric;
begin
  select least(p_amount, greatest(a.balance - a.floor, 0)) into v_takeable
  from ledger.account a
  where a.holder = p_holder and a.asset = p_asset and a.purpose = p_purpose
  for no key update;
  return coalesce(v_takeable, 0);
end $$;
