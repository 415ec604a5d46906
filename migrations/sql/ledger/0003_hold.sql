-- Set p_amount of a customer's money aside: from `available` to `held`, until ledger.resolve ends it.
-- At most once for its reference, like ledger.post, and refused for the same reasons: LG402, LG409, LG422, LG423.
-- Locks: the reference, then the two accounts.
create function ledger.hold(
  p_reference text, p_kind text, p_holder bigint, p_asset text, p_amount numeric,
  p_meta jsonb default null, p_effective_at timestamptz default null, p_request_id text default null,
  out txn_id bigint, out replayed boolean
) language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_holders constant bigint[] := array[p_holder, p_holder];
  v_assets constant text[] := array[p_asset, p_asset];
  v_purposes constant text[] := array['available', 'held'];
  v_amounts constant numeric[] := array[-p_amount, p_amount];
  v_posted bytea;
begin
  if p_holder > 0 and p_amount > 0 and p_amount < 1e38 and scale(p_amount) = 0 then
  else
    raise exception 'a hold is of a customer, and of a whole number of minor units above zero' using errcode = 'LG422';
  end if;

  perform pg_advisory_xact_lock(hashtextextended(p_reference, 0));
  select t.id, t.fingerprint into hold.txn_id, v_posted from ledger.txn t where t.reference = p_reference;
  replayed := found;
  if replayed then
    if v_posted <> ledger.linked_fingerprint(
         ledger.fingerprint(p_reference, p_kind, v_holders, v_assets, v_purposes, v_amounts, p_meta, p_effective_at),
         true, null, null, null) then
      raise exception 'reference % stands for another posting', p_reference using errcode = 'LG409';
    end if;
    return;
  end if;

  perform ledger.begin_posting();
  txn_id := ledger.post_linked(
    p_reference, p_kind, v_holders, v_assets, v_purposes, v_amounts, p_meta, p_effective_at, p_request_id,
    false, true, null, null, null);
end $$;
