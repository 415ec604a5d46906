-- Move p_amount on one account, as a leg of ledger.post does: find, lock and change a customer's, opening it if
-- need be; only find the house's. Raises LG402, LG422 and LG409: the reference was posted meanwhile by ledger.post or
-- ledger.post_many, which is not this.
drop function ledger.move(bigint, text, text, numeric);
create function ledger.move(
  p_holder bigint, p_asset text, p_purpose text, p_amount numeric, p_reference text,
  out id bigint, out seq bigint, out balance numeric
) language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if p_holder = 0 then
    select a.id into move.id from ledger.account a
    where a.holder = 0 and a.asset = p_asset and a.purpose = p_purpose;
    if not found then
      id := ledger.open_house_account(p_asset, p_purpose);
    end if;
    return;
  end if;
  update ledger.account a set balance = a.balance + p_amount, seq = a.seq + 1
  where a.holder = p_holder and a.asset = p_asset and a.purpose = p_purpose
    and (a.floor is null or a.balance + p_amount >= a.floor)
  returning a.id, a.seq, a.balance into move.id, move.seq, move.balance;
  if not found then
    select m.id, m.seq, m.balance into move.id, move.seq, move.balance
    from ledger.open_or_refuse(p_holder, p_asset, p_purpose, p_amount, p_reference) m;
    if move.id is null then
      raise exception 'reference % stands for another posting', p_reference using errcode = 'LG409';
    end if;
  end if;
end $$;
