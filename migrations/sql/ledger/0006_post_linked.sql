-- Post the legs of a transaction that has to do with another one. Internal: the functions that call it have locked
-- the reference and that other transaction, made sure that neither was used up, and built the legs.
--
-- The legs are like those of ledger.post: distinct accounts, ascending, amounts not zero. With p_allow_debt, what a
-- customer's account cannot give is taken from the same customer's `receivable` instead, which may go below zero.
-- `receivable` comes after `available` and `held`, so that too is locked in the one order.
--
-- Raises LG402 and LG422 like ledger.post, and LG409 when the reference was posted meanwhile: by ledger.post or
-- ledger.post_many, which do not lock it first, and whose transactions have nothing to do with another.
create or replace function ledger.post_linked(
  p_reference text, p_kind text,
  p_holders bigint[], p_assets text[], p_purposes text[], p_amounts numeric[],
  p_meta jsonb, p_effective_at timestamptz, p_request_id text, p_allow_debt boolean,
  p_is_hold boolean, p_resolves_id bigint, p_reverses_id bigint, p_refunds_id bigint
) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_leg record;
  v_moved record;
  v_amount numeric;
  v_takeable numeric;
  v_short numeric := 0;
  v_holders bigint[] := '{}';
  v_assets text[] := '{}';
  v_purposes text[] := '{}';
  v_amounts numeric[] := '{}';
  v_ids bigint[] := '{}';
  v_seqs bigint[] := '{}';
  v_balances numeric[] := '{}';
  v_txn_id bigint;
begin
  if length(p_reference) between 1 and 200 and length(p_kind) between 1 and 64
     and jsonb_typeof(p_meta) = 'object' is not false and cardinality(p_amounts) between 2 and 1000 then
  else
    raise exception 'a posting needs a reference, a kind and at least two legs' using errcode = 'LG422';
  end if;

  for v_leg in
    select l.holder, l.asset, l.purpose, sum(l.amount) as amount
    from (
      select u.holder, u.asset, u.purpose, u.amount
      from unnest(p_holders, p_assets, p_purposes, p_amounts) u (holder, asset, purpose, amount)
      union all
      select u.holder, u.asset, 'receivable', 0
      from unnest(p_holders, p_assets, p_purposes, p_amounts) u (holder, asset, purpose, amount)
      where p_allow_debt and u.holder <> 0 and u.amount < 0
    ) l
    group by l.holder, l.asset, l.purpose
    order by l.holder, l.asset collate "C", l.purpose collate "C"
  loop
    v_amount := v_leg.amount;
    if p_allow_debt and v_leg.holder <> 0 then
      if v_leg.purpose = 'receivable' then
        v_amount := v_amount - v_short;
        v_short := 0;
      elsif v_amount < 0 and v_leg.purpose collate "C" < 'receivable' then
        v_takeable := ledger.takeable(v_leg.holder, v_leg.asset, v_leg.purpose, -v_amount);
        v_short := v_short - v_amount - v_takeable;
        v_amount := -v_takeable;
      end if;
    end if;
    continue when v_amount = 0;
    v_moved := ledger.move(v_leg.holder, v_leg.asset, v_leg.purpose, v_amount, p_reference);
    v_holders := v_holders || v_leg.holder;
    v_assets := v_assets || v_leg.asset;
    v_purposes := v_purposes || v_leg.purpose;
    v_amounts := v_amounts || v_amount;
    v_ids := v_ids || v_moved.id;
    v_seqs := v_seqs || v_moved.seq;
    v_balances := v_balances || v_moved.balance;
  end loop;

  -- As in ledger.post: a transaction id first, then the id that readers of the settled part go by.
  perform pg_current_xact_id();
  insert into ledger.txn as t (
    reference, kind, fingerprint, effective_at, request_id, meta, is_hold, resolves_id, reverses_id, refunds_id)
  values (
    p_reference, p_kind,
    ledger.linked_fingerprint(
      ledger.fingerprint(p_reference, p_kind, v_holders, v_assets, v_purposes, v_amounts, p_meta, p_effective_at),
      p_is_hold, p_resolves_id, p_reverses_id, p_refunds_id),
    p_effective_at, p_request_id, p_meta, p_is_hold, p_resolves_id, p_reverses_id, p_refunds_id)
  on conflict (reference) do nothing
  returning t.id into v_txn_id;
  if v_txn_id is null then
    raise exception 'reference % stands for another posting', p_reference using errcode = 'LG409';
  end if;

  insert into ledger.entry (account_id, txn_id, seq, amount, balance_after, asset)
  select u.account_id, v_txn_id, u.seq, u.amount, u.balance_after, u.asset
  from unnest(v_ids, v_seqs, v_amounts, v_balances, v_assets) u (account_id, seq, amount, balance_after, asset);
  return v_txn_id;
end $$;
