-- Lock the accounts of a batch for the rest of the database transaction, and read them.
--
-- They are distinct and ascending by (holder, asset, purpose) in the order of the "C" collation, and are locked in
-- that order. The first p_house are the house's, which are not locked. A missing account is opened at its
-- place in the order if p_open says so; otherwise it is read as it would be opened, with a null for its id.
--
-- Raises LG422 for a missing account that cannot be opened: no such asset, or no such purpose of that holder.
--
-- Only nested loops over indexes are planned: a plan made while the tables were small must serve later as well.
create function ledger.lock_accounts(
  p_house int, p_holders bigint[], p_assets text[], p_purposes text[], p_open boolean[],
  out ids bigint[], out balances numeric[], out seqs bigint[], out floors numeric[]
) language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
  v_places int[];
  v_ids bigint[];
  v_balances numeric[];
  v_seqs bigint[];
  v_floors numeric[];
begin
  if p_open is not null then
    for i in 1..p_house loop
      if p_open[i] then
        perform ledger.open_house_account(p_assets[i], p_purposes[i]);
      end if;
    end loop;
    -- An account that exists is in conflict: it is locked, at its place, and the update is then not made.
    insert into ledger.account as a (holder, asset, purpose, floor)
    select k.holder, k.asset, k.purpose, p.floor
    from unnest(p_holders, p_assets, p_purposes, p_open) with ordinality k (holder, asset, purpose, open, place)
    join ledger.purpose p on p.name = k.purpose
    where k.place > p_house
      and (k.open or exists (select from ledger.account o
                             where o.holder = k.holder and o.asset = k.asset and o.purpose = k.purpose))
    order by k.place
    on conflict (holder, asset, purpose) do update set seq = a.seq where false;
  end if;

  select array_agg(l.place), array_agg(l.id), array_agg(l.balance), array_agg(l.seq), array_agg(l.floor)
  into v_places, v_ids, v_balances, v_seqs, v_floors
  from (
    select k.place, a.id, a.balance, a.seq, a.floor
    from unnest(p_holders, p_assets, p_purposes) with ordinality k (holder, asset, purpose, place)
    join ledger.account a on a.holder = k.holder and a.asset = k.asset and a.purpose = k.purpose
    where k.place > p_house
    order by k.place
    for no key update of a
  ) l;
  ids := array(
    select a.id
    from unnest(p_assets[:p_house], p_purposes[:p_house]) with ordinality k (asset, purpose, place)
    left join ledger.account a on a.holder = 0 and a.asset = k.asset and a.purpose = k.purpose
    order by k.place);
  balances := array_fill(null::numeric, array[p_house]);
  seqs := array_fill(null::bigint, array[p_house]);
  floors := array_fill(null::numeric, array[p_house]);
  if p_house + coalesce(cardinality(v_ids), 0) = cardinality(p_holders) then
    ids := ids || v_ids;
    balances := balances || v_balances;
    seqs := seqs || v_seqs;
    floors := floors || v_floors;
    return;
  end if;

  if exists (
    select from unnest(p_holders, p_assets, p_purposes) k (holder, asset, purpose)
    where not exists (select from ledger.asset s where s.code = k.asset)
       or not exists (select from ledger.purpose p where p.name = k.purpose and p.of_house = (k.holder = 0))
  ) then
    raise exception 'a leg names an account that nobody can have' using errcode = 'LG422';
  end if;
  -- Only what was locked is told: an account that somebody opens in this very moment is still missing.
  ids := ids || array_fill(null::bigint, array[cardinality(p_holders) - p_house]);
  balances := array_fill(0::numeric, array[cardinality(p_holders)]);
  seqs := array_fill(0::bigint, array[cardinality(p_holders)]);
  floors := array(select p.floor from unnest(p_purposes) with ordinality k (purpose, place)
                  join ledger.purpose p on p.name = k.purpose order by k.place);
  for i in 1..coalesce(cardinality(v_ids), 0) loop
    ids[v_places[i]] := v_ids[i];
    balances[v_places[i]] := v_balances[i];
    seqs[v_places[i]] := v_seqs[i];
  end loop;
end $$;
