-- Which items of a batch are refused, and which repeat an earlier one of it. Moves nothing.
--
-- outcomes holds what is known before (the references that are posted). A null there means that the item is to be
-- posted, and still does at the end unless there is a reason against it. before[i] is the item that item i repeats.
-- p_firsts has, for each item whose reference is repeated, the first item with it.
--
-- An account is in doubt if it would fall below its floor were all that is asked of it taken, and nothing given. Only
-- items that touch one of those, or whose reference is repeated, can be refused: these alone are looked at one by one.
create function ledger.decide(
  p_items int[], p_accounts int[], p_amounts numeric[], p_fingerprints bytea[], p_firsts int[],
  p_holders bigint[], p_assets text[], p_purposes text[], p_balances numeric[], p_floors numeric[],
  inout outcomes text[], inout details jsonb[], out before int[]
) language plpgsql
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan
as $$
declare
  v_balances numeric[] := p_balances;
  v_doubt boolean[];
  v_starts int[];        -- the place of each item's first leg
  v_posted int[];        -- by first item: the item that is posted under that reference
  v_item int;
  v_account int;
  v_short int;           -- the account without enough money, and what is asked of it
  v_asked numeric;
begin
  v_doubt := array(
    select coalesce(p_balances[a.account] + a.asked < p_floors[a.account], false)
    from (
      select l.account, coalesce(sum(l.amount) filter (where l.amount < 0 and outcomes[l.item] is null), 0) as asked
      from unnest(p_items, p_accounts, p_amounts) l (item, account, amount)
      group by l.account
    ) a
    order by a.account);
  if p_firsts is null and array_position(v_doubt, true) is null then
    return;
  end if;

  v_starts := array(
    select min(l.place) from unnest(p_items) with ordinality l (item, place) group by l.item order by l.item
  ) || (cardinality(p_items) + 1);
  v_posted := array_fill(null::int, array[cardinality(outcomes)]);
  before := v_posted;
  for v_item in
    select distinct l.item
    from unnest(p_items, p_accounts) l (item, account)
    where outcomes[l.item] is null and (v_doubt[l.account] or p_firsts[l.item] is not null)
    order by l.item
  loop
    if v_posted[p_firsts[v_item]] is not null then
      if p_fingerprints[v_item] = p_fingerprints[v_posted[p_firsts[v_item]]] then
        outcomes[v_item] := 'replayed';
        before[v_item] := v_posted[p_firsts[v_item]];
      else
        outcomes[v_item] := 'LG409';
      end if;
      continue;
    end if;

    v_short := null;
    for v_place in v_starts[v_item]..v_starts[v_item + 1] - 1 loop
      v_account := p_accounts[v_place];
      if v_doubt[v_account] and v_balances[v_account] + p_amounts[v_place] < p_floors[v_account] then
        v_short := v_account;
        v_asked := -p_amounts[v_place];
        exit;
      end if;
    end loop;
    if v_short is not null then
      outcomes[v_item] := 'LG402';
      details[v_item] := jsonb_build_object(
        'holder', p_holders[v_short], 'asset', p_assets[v_short], 'purpose', p_purposes[v_short],
        'available', v_balances[v_short] - p_floors[v_short], 'asked', v_asked);
      continue;
    end if;

    if p_firsts[v_item] is not null then
      v_posted[p_firsts[v_item]] := v_item;
    end if;
    for v_place in v_starts[v_item]..v_starts[v_item + 1] - 1 loop
      v_account := p_accounts[v_place];
      if v_doubt[v_account] then
        v_balances[v_account] := v_balances[v_account] + p_amounts[v_place];
      end if;
    end loop;
  end loop;
end $$;
