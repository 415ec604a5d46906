-- Move p_amount on a customer's account that could not simply be moved: it is missing and gets opened,
-- or there is not enough on it. Others may open or fund it meanwhile, so it looks again until one holds.
--
-- Where money is missing because it was moved under p_reference itself, that is no refusal: the id is null then.
-- Raises LG402 (its detail is JSON: holder, asset, purpose, available, asked; minor units) and LG422 (no such
-- asset, or no such purpose of a customer).
drop function ledger.open_or_refuse(bigint, text, text, numeric, text);
create function ledger.open_or_refuse(
  p_holder bigint, p_asset text, p_purpose text, p_amount numeric, p_reference text,
  out id bigint, out seq bigint, out balance numeric
) language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_floor numeric;
  v_balance numeric;
begin
  select p.floor into v_floor from ledger.purpose p where p.name = p_purpose and not p.of_house;
  if not found or not exists (select from ledger.asset s where s.code = p_asset) then
    raise exception 'a customer has no account for %/%', p_asset, p_purpose using errcode = 'LG422';
  end if;
  loop
    select coalesce(max(a.balance), 0) into v_balance from ledger.account a
    where a.holder = p_holder and a.asset = p_asset and a.purpose = p_purpose;
    if v_balance + p_amount < v_floor then
      if exists (select from ledger.txn t where t.reference = p_reference) then
        return;
      end if;
      raise exception 'not enough money on %/%/%', p_holder, p_asset, p_purpose using errcode = 'LG402',
        detail = json_build_object('holder', p_holder, 'asset', p_asset, 'purpose', p_purpose,
                                   'available', v_balance - v_floor, 'asked', -p_amount);
    end if;

    -- Money that is taken is on an account that is there: others have funded it since it was found wanting. (The
    -- floor's CHECK looks at a row before the conflict does.)
    if v_floor is null or p_amount >= v_floor then
      insert into ledger.account as a (holder, asset, purpose, floor, balance, seq)
      values (p_holder, p_asset, p_purpose, v_floor, p_amount, 1)
      on conflict (holder, asset, purpose) do nothing
      returning a.id, a.seq, a.balance into open_or_refuse.id, open_or_refuse.seq, open_or_refuse.balance;
      exit when found;
    end if;

    update ledger.account a set balance = a.balance + p_amount, seq = a.seq + 1
    where a.holder = p_holder and a.asset = p_asset and a.purpose = p_purpose
      and (a.floor is null or a.balance + p_amount >= a.floor)
    returning a.id, a.seq, a.balance into open_or_refuse.id, open_or_refuse.seq, open_or_refuse.balance;
    exit when found;
  end loop;
end $$;
