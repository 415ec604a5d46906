-- Post many transactions in one call, with the same outcome as `ledger.post` for one after the other.
--
-- Items are numbered from 1 in the order of the first five arrays, which are of one length. The legs of all items
-- are in the last five: p_items names the item of each and ascends; within an item they are distinct accounts,
-- ascending by (holder, asset, purpose) in the order of the "C" collation, amounts in minor units.
--
-- outcomes[i] is 'posted', 'replayed', 'LG402' (not enough money: details[i] has holder, asset, purpose, available,
-- asked) or 'LG409' (the reference stands for other content). A refused item leaves nothing behind, and its
-- reference is free. With p_atomic the first refusal is raised instead, and nothing at all is posted;
-- its detail then also has the item.
--
-- Raises, and then leaves nothing behind: LG422 some item is malformed, LG423 this database transaction has posted
-- before, 40001 others were quicker again and again (call it once more).
--
-- Locks, in one total order: the accounts ascending, then the references ascending, by the unique index, when the
-- transactions are written. All is decided and written in an attempt, which is undone and begun anew if it
-- turns out that somebody has posted one of the references meanwhile, or that an account is to be opened.
create function ledger.post_many(
  p_atomic boolean,
  p_references text[], p_kinds text[], p_metas jsonb[], p_effective_ats timestamptz[], p_request_ids text[],
  p_items int[], p_holders bigint[], p_assets text[], p_purposes text[], p_amounts numeric[],
  out txn_ids bigint[], out outcomes text[], out details jsonb[]
) language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
  n constant int := cardinality(p_references);
  v_fits boolean;
  v_assets int;
  -- by leg
  v_accounts int[];      -- the number of its account, in the order of locking
  -- by item
  v_fingerprints bytea[];
  v_firsts int[];        -- the first item with the same reference, where it is repeated
  v_before int[];        -- the item that it repeats, once that is posted
  -- by account number
  v_house int;           -- the first so many are the house's
  v_holders bigint[];
  v_codes text[];
  v_purposes text[];
  v_ids bigint[];
  v_balances numeric[];
  v_seqs bigint[];
  v_floors numeric[];
  v_open boolean[];      -- to be opened: null at first
  v_needed boolean[];
  v_now timestamptz;
  v_found record;
  v_refused int;
begin
  if n between 1 and 10000
     and n = cardinality(p_kinds) and n = cardinality(p_metas) and n = cardinality(p_effective_ats)
     and n = cardinality(p_request_ids) and cardinality(p_items) = cardinality(p_holders)
     and cardinality(p_items) = cardinality(p_assets) and cardinality(p_items) = cardinality(p_purposes)
     and cardinality(p_items) = cardinality(p_amounts) and p_atomic is not null
     and not exists (
       select from unnest(p_references, p_kinds, p_metas) i (reference, kind, meta)
       where (length(i.reference) between 1 and 200 and length(i.kind) between 1 and 64
              and jsonb_typeof(i.meta) = 'object' is not false) is not true) then
  else
    raise exception 'each posting needs a reference, a kind and at least two legs' using errcode = 'LG422';
  end if;

  -- 1. What is asked, before anything is locked: the accounts, numbered in the order of locking, ...
  select array_agg(l.account order by l.place) into v_accounts
  from (
    select u.place, dense_rank() over (order by u.holder, u.asset collate "C", u.purpose collate "C")::int as account
    from unnest(p_holders, p_assets, p_purposes) with ordinality u (holder, asset, purpose, place)
  ) l;
  select array_agg(a.holder order by a.account), array_agg(a.asset order by a.account),
         array_agg(a.purpose order by a.account), count(*) filter (where a.holder = 0)
  into v_holders, v_codes, v_purposes, v_house
  from (
    select distinct on (u.account) u.account, u.holder, u.asset, u.purpose
    from unnest(v_accounts, p_holders, p_assets, p_purposes) u (account, holder, asset, purpose)
    order by u.account
  ) a;
  -- ... legs that are fit to be posted, ...
  select bool_and(
    num_nulls(l.item, l.holder, l.asset, l.purpose) = 0 and l.holder >= 0 and l.purpose <> 'held'
    and (l.item = l.item_before and l.account > l.account_before or l.item = l.item_before + 1)
    and l.amount <> 0 and abs(l.amount) < 1e38 and scale(l.amount) = 0) into v_fits
  from (
    select u.*, lag(u.item, 1, 0) over given as item_before, lag(u.account) over given as account_before
    from unnest(p_items, v_accounts, p_holders, p_assets, p_purposes, p_amounts) with ordinality
      u (item, account, holder, asset, purpose, amount, place)
    window given as (order by u.place)
  ) l;
  if v_fits is not true then
    raise exception 'a leg is out of order, of `held`, or not of a whole number of minor units' using errcode = 'LG422';
  end if;
  -- ... and what each reference is to stand for.
  select array_agg(i.fingerprint order by i.item), max(i.assets),
         count(*) = n and bool_and(i.total = 0 and i.legs between 2 and 1000)
  into v_fingerprints, v_assets, v_fits
  from (
    select l.item, count(*) as legs, sum(l.amount) as total,
           case when min(l.asset) = max(l.asset) then 1 else 2 end as assets,
           ledger.fingerprint(
             p_references[l.item], p_kinds[l.item],
             array_agg(l.holder order by l.place), array_agg(l.asset order by l.place),
             array_agg(l.purpose order by l.place), array_agg(l.amount order by l.place),
             p_metas[l.item], p_effective_ats[l.item]) as fingerprint
    from unnest(p_items, p_holders, p_assets, p_purposes, p_amounts) with ordinality
      l (item, holder, asset, purpose, amount, place)
    group by l.item
  ) i;
  if v_fits is not true or v_assets > 1 and exists (
       select from unnest(p_items, p_assets, p_amounts) l (item, asset, amount)
       group by l.item, l.asset having sum(l.amount) <> 0) then
    raise exception 'the legs of a posting do not sum to zero for each asset' using errcode = 'LG422';
  end if;
  if (select count(distinct r.reference) from unnest(p_references) r (reference)) < n then
    select array_agg(case when r.times > 1 then r.first end order by r.item) into v_firsts
    from (select u.item, min(u.item) over same as first, count(*) over same as times
          from unnest(p_references) with ordinality u (reference, item)
          window same as (partition by u.reference collate "C")) r;
  end if;

  if current_setting('ledger.posted', true) = 'yes' then
    raise exception 'one posting a database transaction: give all of them to one call' using errcode = 'LG423';
  end if;
  perform set_config('ledger.posted', 'yes', true);
  -- Readers that wait for all earlier ids rely on a transaction id being assigned before one is drawn.
  perform pg_current_xact_id();

  for attempt in 1..20 loop
    begin
      -- 2. The accounts, ascending.
      select l.ids, l.balances, l.seqs, l.floors into v_ids, v_balances, v_seqs, v_floors
      from ledger.lock_accounts(v_house, v_holders, v_codes, v_purposes, v_open) l;
      v_now := clock_timestamp();

      -- 3. The decisions. What has no outcome yet is going to be posted.
      outcomes := array_fill(null::text, array[n]);
      txn_ids := array_fill(null::bigint, array[n]);
      details := array_fill(null::jsonb, array[n]);
      v_before := null;
      for v_found in
        select r.item, t.id, t.fingerprint
        from unnest(p_references) with ordinality r (reference, item)
        join ledger.txn t on t.reference = r.reference
      loop
        if v_found.fingerprint = v_fingerprints[v_found.item] then
          outcomes[v_found.item] := 'replayed';
          txn_ids[v_found.item] := v_found.id;
        else
          outcomes[v_found.item] := 'LG409';
        end if;
      end loop;
      select d.outcomes, d.details, d.before into outcomes, details, v_before
      from ledger.decide(p_items, v_accounts, p_amounts, v_fingerprints, v_firsts,
                         v_holders, v_codes, v_purposes, v_balances, v_floors, outcomes, details) d;
      if p_atomic then
        v_refused := (select min(o.item) from unnest(outcomes) with ordinality o (outcome, item)
                      where o.outcome like 'LG%');
        if v_refused is not null then
          raise exception 'item % of the batch, %, was refused', v_refused, p_references[v_refused]
            using errcode = outcomes[v_refused],
                  detail = coalesce(details[v_refused], '{}') || jsonb_build_object('item', v_refused);
        end if;
      end if;
      -- What a posted item needs has to be open, and what was opened for one has to be needed still.
      if v_open is not null or array_position(v_ids, null) is not null then
        select array_agg(a.needed order by a.account) into v_needed
        from (select u.account, bool_or(outcomes[u.item] is null) as needed
              from unnest(v_accounts, p_items) u (account, item) group by u.account) a;
        if exists (select from unnest(v_ids, v_seqs, v_needed, v_open) u (id, seq, needed, open)
                   where u.needed and u.id is null or u.open and coalesce(u.seq, 0) = 0 and not u.needed) then
          v_open := array(select u.needed and (u.id is null or u.open is true)
                          from unnest(v_ids, v_needed, v_open) u (id, needed, open));
          raise exception using errcode = 'LG001';
        end if;
      end if;

      -- 4. The ids, only now: they rise with seq in every account.
      txn_ids := array(
        select case when outcomes[i] is null then nextval('ledger.txn_id_seq') else txn_ids[i] end
        from generate_series(1, n) i);
      if v_before is not null then
        txn_ids := array(select txn_ids[coalesce(v_before[i], i)] from generate_series(1, n) i);
      end if;

      -- 5. The references, ascending: this waits for whoever is about to post one of them, and fails if they do.
      insert into ledger.txn (id, created_at, effective_at, reference, kind, fingerprint, request_id, meta)
      overriding system value
      select txn_ids[r.item], v_now, p_effective_ats[r.item], r.reference, p_kinds[r.item],
             v_fingerprints[r.item], p_request_ids[r.item], p_metas[r.item]
      from unnest(p_references) with ordinality r (reference, item)
      where outcomes[r.item] is null
      order by r.reference collate "C";

      -- 6. The entries, in one statement, whose trigger sums them once more; then the accounts.
      insert into ledger.entry (account_id, txn_id, seq, amount, balance_after, asset)
      select v_ids[l.account], txn_ids[l.item],
             case when l.account > v_house then v_seqs[l.account] + row_number() over until_now end, l.amount,
             case when l.account > v_house then v_balances[l.account] + sum(l.amount) over until_now end,
             v_codes[l.account]
      from unnest(p_items, v_accounts, p_amounts) l (item, account, amount)
      where outcomes[l.item] is null
      window until_now as (partition by l.account order by l.item rows unbounded preceding);
      update ledger.account a
      set balance = v_balances[m.account] + m.total, seq = v_seqs[m.account] + m.legs
      from (
        select l.account, sum(l.amount) as total, count(*) as legs
        from unnest(p_items, v_accounts, p_amounts) l (item, account, amount)
        where outcomes[l.item] is null and l.account > v_house
        group by l.account
      ) m
      where a.id = v_ids[m.account];

      outcomes := array(select coalesce(o.outcome, 'posted')
                        from unnest(outcomes) with ordinality o (outcome, item) order by o.item);
      return;
    exception when unique_violation or sqlstate 'LG001' then
      null;  -- all of this attempt is undone, its locks included
    end;
  end loop;
  raise exception 'the references of this batch are being posted by others' using errcode = '40001';
end $$;
