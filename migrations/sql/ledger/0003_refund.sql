-- Give back p_amount of what a customer got by a transaction: from that customer's `available` to whoever paid it, or
-- to another account (p_holder, p_purpose). Several times, until all that the customer got is given back; a refund
-- that was reversed makes room again.
--
-- A repeat (the same transaction, kind, amount, destination, meta and effective_at) answers with the first refund.
--
-- Raises, and then leaves nothing behind, the reference included; details are JSON:
--   LG402  the money was spent, and p_allow_debt is false; otherwise the customer's `receivable` bears what is missing
--   LG404  there is no transaction under p_of_reference
--   LG406  it cannot be refunded: detail: why (`hold`, `reversal`, `refund`, or `parties`: there is not exactly one
--          customer who got money, in one asset, and, unless a destination is given, one account that paid)
--   LG409  the reference stands for other content
--   LG410  it was reversed; detail: why (`reversed`), by (a reference)
--   LG413  it is more than what is left to give back; detail: of (`refund`), asset, limit, asked
--   LG422, LG423 like ledger.post
--
-- Locks, in the one order: the reference, then the row of the refunded transaction, under which the refunds before
-- this one are summed, then the accounts ascending.
create function ledger.refund(
  p_of_reference text, p_reference text, p_kind text, p_asset text, p_amount numeric,
  p_holder bigint, p_purpose text, p_allow_debt boolean,
  p_meta jsonb default null, p_effective_at timestamptz default null, p_request_id text default null,
  out txn_id bigint, out replayed boolean
) language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_of record;
  v_parties record;
  v_posted record;
  v_holder bigint;
  v_purpose text collate "C";
  v_why text;
  v_by text;
  v_left numeric;
begin
  if p_amount > 0 and p_amount < 1e38 and scale(p_amount) = 0
     and num_nulls(p_holder, p_purpose) in (0, 2) and p_purpose is distinct from 'held' then
  else
    raise exception 'a refund is of a whole number of minor units above zero, to an account that is not `held`'
      using errcode = 'LG422';
  end if;

  perform pg_advisory_xact_lock(hashtextextended(p_reference, 0));
  select t.id, t.is_hold, t.reverses_id, t.refunds_id into v_of from ledger.txn t where t.reference = p_of_reference;
  if not found then
    raise exception 'there is no transaction under reference %', p_of_reference using errcode = 'LG404';
  end if;
  select count(distinct l.asset) as assets, min(l.asset) as asset,
         count(distinct l.holder) filter (where l.amount > 0 and l.holder <> 0) as payees,
         min(l.holder) filter (where l.amount > 0 and l.holder <> 0) as payee,
         sum(l.amount) filter (where l.amount > 0 and l.holder <> 0) as amount,
         count(*) filter (where l.amount < 0) as payers,
         min(l.holder) filter (where l.amount < 0) as payer, min(l.purpose) filter (where l.amount < 0) as purpose
  into v_parties
  from ledger.legs_of(v_of.id) l;
  v_holder := coalesce(p_holder, v_parties.payer);
  v_purpose := coalesce(p_purpose, v_parties.purpose);

  select t.id, t.refunds_id, t.kind, t.meta, t.effective_at, e.asset, e.amount, a.holder, a.purpose into v_posted
  from ledger.txn t
  join ledger.entry e on e.txn_id = t.id and e.amount > 0
  join ledger.account a on a.id = e.account_id
  where t.reference = p_reference limit 1;
  replayed := found;
  if replayed then
    if (v_posted.refunds_id, v_posted.kind, v_posted.meta, v_posted.effective_at,
        v_posted.asset, v_posted.amount, v_posted.holder, v_posted.purpose)
       is distinct from (v_of.id, p_kind, p_meta, p_effective_at, p_asset, p_amount, v_holder, v_purpose) then
      raise exception 'reference % stands for another posting', p_reference using errcode = 'LG409';
    end if;
    txn_id := v_posted.id;
    return;
  end if;

  perform ledger.begin_posting();
  v_why := case
    when v_of.is_hold then 'hold'
    when v_of.reverses_id is not null then 'reversal'
    when v_of.refunds_id is not null then 'refund'
    when v_parties.assets <> 1 or v_parties.payees <> 1
      or p_holder is null and v_parties.payers <> 1 then 'parties'
  end;
  if v_why is not null then
    raise exception 'transaction % cannot be refunded: %', p_of_reference, v_why using errcode = 'LG406',
      detail = json_build_object('why', v_why);
  end if;
  if v_holder = v_parties.payee or p_asset is distinct from v_parties.asset then
    raise exception 'a refund goes to somebody else, in the asset that was paid' using errcode = 'LG422';
  end if;

  perform from ledger.txn t where t.id = v_of.id for no key update;
  select t.reference into v_by from ledger.txn t where t.reverses_id = v_of.id;
  if found then
    raise exception 'transaction % was reversed before', p_of_reference using errcode = 'LG410',
      detail = json_build_object('why', 'reversed', 'by', v_by);
  end if;
  select v_parties.amount - coalesce(sum(e.amount), 0) into v_left
  from ledger.txn t join ledger.entry e on e.txn_id = t.id and e.amount > 0
  where t.refunds_id = v_of.id and not exists (select from ledger.txn r where r.reverses_id = t.id);
  if p_amount > v_left then
    raise exception 'only % of transaction % is left to refund', v_left, p_of_reference using errcode = 'LG413',
      detail = json_build_object('of', 'refund', 'asset', p_asset, 'limit', v_left, 'asked', p_amount);
  end if;

  txn_id := ledger.post_linked(
    p_reference, p_kind, array[v_parties.payee, v_holder], array[p_asset, p_asset], array['available', v_purpose],
    array[-p_amount, p_amount], p_meta, p_effective_at, p_request_id, p_allow_debt, false, null, null, v_of.id);
end $$;
