-- The entries of long histories, filed by kind and direction: what a filtered page of one is read from. Without it, a
-- filter that finds little would look through everything.
--
-- Each row lists some transactions of one account, ascending, the last of which is upto_txn; rows of the same kind and
-- direction follow each other. `filed` tells how far an account has come: all its entries up to that transaction are
-- filed, and those after it are looked through. A job does it, never a posting.
create table ledger.filing (
  account_id bigint not null,
  upto_txn   bigint not null,
  is_in      boolean not null,
  kind       varchar(64) collate "C" not null,
  txn_ids    bigint[] not null,
  constraint pk_filing primary key (account_id, kind, is_in, upto_txn)
);
create trigger append_only before update or delete or truncate on ledger.filing
  for each statement execute function ledger.refuse_change();

create table ledger.filed (
  account_id bigint not null,
  upto_txn   bigint not null,
  entries    bigint not null,
  kinds      varchar(64)[] collate "C" not null,
  constraint pk_filed primary key (account_id)
) with (fillfactor = 70);

-- File the new entries of each customer's account that has at least p_least of them, and stop after about p_most;
-- gives how many were filed. 200 ids make a row that is kept whole, outside of no index and no TOAST table.
--
-- It needs no horizon: whoever adds an entry to a running account has its row locked until it is committed, so what can
-- be seen of such an account has no gap. Of two calls at once, one waits.
create function ledger.file_entries(p_least bigint default 500, p_most bigint default 200000) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_account record;
  v_filed bigint;
  v_total bigint := 0;
begin
  lock table ledger.filed in share row exclusive mode;
  for v_account in
    select a.id, coalesce(f.upto_txn, 0) as upto_txn, coalesce(f.entries, 0) as entries,
           coalesce(f.kinds, '{}') as kinds
    from ledger.account a left join ledger.filed f on f.account_id = a.id
    where a.holder <> 0 and a.seq - coalesce(f.entries, 0) >= greatest(p_least, 1)
  loop
    with fresh as (
      select e.txn_id, t.kind, e.amount > 0 as is_in
      from ledger.entry e join ledger.txn t on t.id = e.txn_id
      where e.account_id = v_account.id and e.txn_id > v_account.upto_txn
      order by e.txn_id limit p_most
    ), numbered as (
      select f.*, row_number() over (partition by f.kind, f.is_in order by f.txn_id) as place from fresh f
    ), written as (
      insert into ledger.filing (account_id, kind, is_in, upto_txn, txn_ids)
      select v_account.id, n.kind, n.is_in, max(n.txn_id), array_agg(n.txn_id order by n.txn_id)
      from numbered n group by n.kind, n.is_in, (n.place - 1) / 200
      returning kind, upto_txn, cardinality(txn_ids) as entries
    )
    insert into ledger.filed as f (account_id, upto_txn, entries, kinds)
    select v_account.id, max(w.upto_txn), v_account.entries + sum(w.entries),
           array(select k.kind from unnest(v_account.kinds) k (kind) union select o.kind from written o order by 1)
    from written w
    on conflict (account_id) do update
      set upto_txn = excluded.upto_txn, entries = excluded.entries, kinds = excluded.kinds
    returning f.entries into v_filed;
    v_total := v_total + v_filed - v_account.entries;
    exit when v_total >= p_most;
  end loop;
  return v_total;
end $$;

-- The newest p_limit transactions of a customer's account, of those between p_above and p_below (both left out), that
-- are of these kinds (null: any) and that direction (null: either). The caller reads the entries, in the same statement.
create function ledger.sifted(
  p_account_id bigint, p_kinds text[], p_is_in boolean, p_above bigint, p_below bigint, p_limit integer
) returns setof bigint
language plpgsql stable parallel safe rows 25
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
  v_upto bigint;
  v_kinds varchar[];
  v_found integer;
begin
  select f.upto_txn, f.kinds into v_upto, v_kinds from ledger.filed f where f.account_id = p_account_id;
  v_upto := coalesce(v_upto, 0);

  -- What is not filed yet, ...
  return query
    select e.txn_id
    from ledger.entry e join ledger.txn t on t.id = e.txn_id
    where e.account_id = p_account_id and e.txn_id > greatest(v_upto, p_above) and e.txn_id < p_below
      and (p_kinds is null or t.kind = any(p_kinds)) and (p_is_in is null or (e.amount > 0) = p_is_in)
    order by e.txn_id desc limit p_limit;
  get diagnostics v_found = row_count;
  if v_found >= p_limit or v_upto <= p_above then
    return;
  end if;

  -- ... and of each list the row that p_below falls into, and those before it.
  return query
    select i.txn_id
    from unnest(v_kinds) k (kind)
    cross join (values (true), (false)) d (is_in)
    cross join lateral (
      (select f.txn_ids from ledger.filing f
       where f.account_id = p_account_id and f.kind = k.kind and f.is_in = d.is_in and f.upto_txn >= p_below
       order by f.upto_txn limit 1)
      union all
      (select f.txn_ids from ledger.filing f
       where f.account_id = p_account_id and f.kind = k.kind and f.is_in = d.is_in
         and f.upto_txn < p_below and f.upto_txn > p_above
       order by f.upto_txn desc limit p_limit)
    ) r
    cross join lateral (select width_bucket(p_below - 1, r.txn_ids) as place) l
    cross join lateral unnest(r.txn_ids[greatest(l.place - p_limit + 1, 1):l.place]) i (txn_id)
    where (p_kinds is null or k.kind = any(p_kinds)) and (p_is_in is null or d.is_in = p_is_in)
      and i.txn_id > p_above
    order by i.txn_id desc limit p_limit - v_found;
end $$;
