-- End a hold, once: send what was held on to the given destinations, and the rest back to `available`. Without any
-- destination all of it goes back. Whose money it is, and how much, is read from the hold's entries.
--
-- The destinations are three arrays of one length; one of the amounts may be null, which stands for all that the
-- others leave. p_asset is that of the amounts, null if there are none. A repeat with the same content answers with the first transaction (replayed) and moves nothing.
--
-- Raises, and then leaves nothing behind, the reference included; details are JSON:
--   LG404  there is no hold under p_hold_reference
--   LG409  the reference stands for other content
--   LG410  the hold was resolved before; detail: why (`resolved`), by (a reference)
--   LG413  the destinations get more than is held; detail: of (`hold`), asset, limit, asked
--   LG402, LG422, LG423 like ledger.post
--
-- Locks, in the one order: the reference, then the hold's row in ledger.txn, then the accounts ascending. Rivals for
-- one hold wait for its row, and then see who won. (A row lock changes nothing, so the append-only triggers are silent.)
create function ledger.resolve(
  p_hold_reference text, p_reference text, p_kind text, p_asset text,
  p_holders bigint[], p_purposes text[], p_amounts numeric[],
  p_meta jsonb default null, p_effective_at timestamptz default null, p_request_id text default null,
  out txn_id bigint, out replayed boolean
) language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  n constant int := cardinality(p_amounts);
  v_hold record;
  v_left numeric;
  v_holders bigint[];
  v_assets text[];
  v_purposes text[];
  v_amounts numeric[];
  v_posted bytea;
  v_by text;
begin
  if n < 1000 and n = cardinality(p_holders) and n = cardinality(p_purposes)
     and cardinality(array_positions(p_amounts, null)) <= 1
     and not exists (
       select from unnest(p_holders, p_purposes, p_amounts) u (holder, purpose, amount)
       where u.holder is null or u.purpose is null or u.purpose = 'held'
          or not (u.amount > 0 and u.amount < 1e38 and scale(u.amount) = 0)) then
  else
    raise exception 'a destination of held money needs an account that is not `held`, and an amount' using errcode = 'LG422';
  end if;

  perform pg_advisory_xact_lock(hashtextextended(p_reference, 0));
  select t.id, a.holder, e.asset, e.amount into v_hold
  from ledger.txn t
  join ledger.entry e on e.txn_id = t.id and e.amount > 0
  join ledger.account a on a.id = e.account_id
  where t.reference = p_hold_reference and t.is_hold;
  if not found then
    raise exception 'there is no hold under reference %', p_hold_reference using errcode = 'LG404';
  end if;

  if p_asset <> v_hold.asset then
    raise exception 'what is held is in %', v_hold.asset using errcode = 'LG422';
  end if;

  v_left := v_hold.amount - coalesce((select sum(u.amount) from unnest(p_amounts) u (amount)), 0);
  if v_left < 0 or v_left = 0 and array_position(p_amounts, null) is not null then
    raise exception 'more than the % held under reference %', v_hold.amount, p_hold_reference using errcode = 'LG413',
      detail = json_build_object(
        'of', 'hold', 'asset', v_hold.asset, 'limit', v_hold.amount, 'asked', v_hold.amount - v_left);
  end if;
  select array_agg(l.holder order by l.holder, l.purpose), array_agg(v_hold.asset order by l.holder, l.purpose),
         array_agg(l.purpose order by l.holder, l.purpose), array_agg(l.amount order by l.holder, l.purpose)
  into v_holders, v_assets, v_purposes, v_amounts
  from (
    select g.holder, g.purpose collate "C" as purpose, sum(g.amount) as amount
    from (
      select v_hold.holder as holder, 'held' as purpose, -v_hold.amount as amount
      union all
      select v_hold.holder, 'available', v_left where array_position(p_amounts, null) is null
      union all
      select u.holder, u.purpose, coalesce(u.amount, v_left)
      from unnest(p_holders, p_purposes, p_amounts) u (holder, purpose, amount)
    ) g
    group by g.holder, g.purpose
    having sum(g.amount) <> 0
  ) l;

  select t.id, t.fingerprint into resolve.txn_id, v_posted from ledger.txn t where t.reference = p_reference;
  replayed := found;
  if replayed then
    if v_posted <> ledger.linked_fingerprint(
         ledger.fingerprint(p_reference, p_kind, v_holders, v_assets, v_purposes, v_amounts, p_meta, p_effective_at),
         false, v_hold.id, null, null) then
      raise exception 'reference % stands for another posting', p_reference using errcode = 'LG409';
    end if;
    return;
  end if;

  perform ledger.begin_posting();
  perform from ledger.txn t where t.id = v_hold.id for no key update;
  select t.reference into v_by from ledger.txn t where t.resolves_id = v_hold.id;
  if found then
    raise exception 'the hold % was resolved before', p_hold_reference using errcode = 'LG410',
      detail = json_build_object('why', 'resolved', 'by', v_by);
  end if;
  txn_id := ledger.post_linked(
    p_reference, p_kind, v_holders, v_assets, v_purposes, v_amounts, p_meta, p_effective_at, p_request_id,
    false, false, v_hold.id, null, null);
end $$;
