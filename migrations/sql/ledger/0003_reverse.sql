-- Undo a transaction, once: post the mirror of what it came to, built from its stored entries (see ledger.legs_of).
--
-- A repeat (the same transaction, kind, meta and effective_at) answers with the first reversal (replayed). Whether a
-- debt was allowed is no part of that: it says what may happen, not what is asked for.
--
-- Raises, and then leaves nothing behind, the reference included; details are JSON:
--   LG402  the money was spent, and p_allow_debt is false; otherwise the customer's `receivable` bears what is missing
--   LG404  there is no transaction under p_of_reference
--   LG405  it cannot be reversed: detail: why (`hold`: release it; `reversal`; `nothing`: a release, which moved
--          nothing when seen together with its hold)
--   LG409  the reference stands for other content
--   LG410  it was reversed before, or refunded, wholly or in part; detail: why (`reversed`, `refunded`), by (a reference)
--   LG422, LG423 like ledger.post
--
-- Locks, in the one order: the reference, then the row of the transaction to undo, then the accounts ascending.
create function ledger.reverse(
  p_of_reference text, p_reference text, p_kind text, p_allow_debt boolean,
  p_meta jsonb default null, p_effective_at timestamptz default null, p_request_id text default null,
  out txn_id bigint, out replayed boolean
) language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_of record;
  v_posted record;
  v_why text;
  v_by text;
  v_holders bigint[];
  v_assets text[];
  v_purposes text[];
  v_amounts numeric[];
begin
  perform pg_advisory_xact_lock(hashtextextended(p_reference, 0));
  select t.id, t.is_hold, t.reverses_id into v_of from ledger.txn t where t.reference = p_of_reference;
  if not found then
    raise exception 'there is no transaction under reference %', p_of_reference using errcode = 'LG404';
  end if;
  select t.id, t.reverses_id, t.kind, t.meta, t.effective_at into v_posted
  from ledger.txn t where t.reference = p_reference;
  replayed := found;
  if replayed then
    if (v_posted.reverses_id, v_posted.kind, v_posted.meta, v_posted.effective_at)
       is distinct from (v_of.id, p_kind, p_meta, p_effective_at) then
      raise exception 'reference % stands for another posting', p_reference using errcode = 'LG409';
    end if;
    txn_id := v_posted.id;
    return;
  end if;

  perform ledger.begin_posting();
  perform from ledger.txn t where t.id = v_of.id for no key update;
  select u.why, u.by into v_why, v_by
  from (
    select 'reversed' as why, t.reference as by from ledger.txn t where t.reverses_id = v_of.id
    union all
    select 'refunded', t.reference from ledger.txn t
    where t.refunds_id = v_of.id and not exists (select from ledger.txn r where r.reverses_id = t.id)
  ) u
  limit 1;
  if found then
    raise exception 'transaction % was % before', p_of_reference, v_why using errcode = 'LG410',
      detail = json_build_object('why', v_why, 'by', v_by);
  end if;

  select array_agg(l.holder order by l.holder, l.asset collate "C", l.purpose collate "C"),
         array_agg(l.asset order by l.holder, l.asset collate "C", l.purpose collate "C"),
         array_agg(l.purpose order by l.holder, l.asset collate "C", l.purpose collate "C"),
         array_agg(-l.amount order by l.holder, l.asset collate "C", l.purpose collate "C")
  into v_holders, v_assets, v_purposes, v_amounts
  from ledger.legs_of(v_of.id) l;
  v_why := case when v_of.is_hold then 'hold' when v_of.reverses_id is not null then 'reversal'
                when v_amounts is null then 'nothing' end;
  if v_why is not null then
    raise exception 'transaction % cannot be reversed: %', p_of_reference, v_why using errcode = 'LG405',
      detail = json_build_object('why', v_why);
  end if;
  txn_id := ledger.post_linked(
    p_reference, p_kind, v_holders, v_assets, v_purposes, v_amounts, p_meta, p_effective_at, p_request_id,
    p_allow_debt, false, null, v_of.id, null);
end $$;
