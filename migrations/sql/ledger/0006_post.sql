-- The transaction that was posted under p_reference with this same content. What the repeat has moved before it noticed
-- is moved back: p_ids are the accounts of the first legs, whose rows it has locked; p_seqs are null for the house's.
--
-- Raises LG409 when the content is another. All accounts of a repeat had entries before, since the first posting has
-- come by. Should one have been opened now, something else is going on, and nothing is put right here: 40001.
create function ledger.repeated(
  p_reference text, p_kind text,
  p_holders bigint[], p_assets text[], p_purposes text[], p_amounts numeric[],
  p_meta jsonb, p_effective_at timestamptz, p_ids bigint[], p_seqs bigint[]
) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_txn_id bigint;
  v_fingerprint bytea;
begin
  select t.id, t.fingerprint into v_txn_id, v_fingerprint from ledger.txn t where t.reference = p_reference;
  if not found then
    raise exception 'the posting under reference % has gone', p_reference using errcode = '40001';
  end if;
  if v_fingerprint <> ledger.fingerprint(
       p_reference, p_kind, p_holders, p_assets, p_purposes, p_amounts, p_meta, p_effective_at) then
    raise exception 'reference % stands for another posting', p_reference using errcode = 'LG409';
  end if;

  for i in 1..coalesce(cardinality(p_ids), 0) loop
    if p_seqs[i] = 1 then
      raise exception 'a repeat of reference % opened an account', p_reference using errcode = '40001';
    end if;
    if p_seqs[i] is not null then
      update ledger.account a set balance = a.balance - p_amounts[i], seq = a.seq - 1 where a.id = p_ids[i];
    end if;
  end loop;
  return v_txn_id;
end $$;

-- Post one transaction, atomically and at most once: the only way in which money moves.
--
-- The legs are given as four arrays of one length: distinct accounts, ascending by (holder, asset, purpose)
-- in the order of the "C" collation, amounts in minor units. Missing accounts are opened.
-- `held` belongs to ledger.hold and ledger.resolve, so that what is on it is what the open holds say. A repeat with the
-- same content answers with the first transaction (replayed) and moves nothing.
--
-- Raises, and then leaves nothing behind, the reference included:
--   LG402  not enough money on an account; the detail is JSON: holder, asset, purpose, available, asked
--   LG409  the reference stands for other content
--   LG422  the posting is malformed
--   LG423  this database transaction has posted before
--
-- Locks, in one total order: the accounts ascending, then the reference's place in the unique index, as ledger.post_many
-- does. The house's rows are not locked. A transaction that waits here therefore holds only what comes before what it
-- waits for, and no circle of waiting can close. Two calls in one database transaction would break that order: LG423.
--
-- Nearly every call is new, so the reference is not looked up first: that it was posted shows when the transaction is
-- written, or when money is missing. Then what was moved is moved back, under the same locks.
--
-- READ COMMITTED is needed: each statement must see what was committed while it waited.
--
-- Each statement in here costs as much as a row or two of its work, so that functions are assigned rather than
-- performed, and values are taken from the arrays where they are needed.
create or replace function ledger.post(
  p_reference text, p_kind text,
  p_holders bigint[], p_assets text[], p_purposes text[], p_amounts numeric[],
  p_meta jsonb default null, p_effective_at timestamptz default null, p_request_id text default null,
  out txn_id bigint, out replayed boolean
) language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  n constant int := cardinality(p_amounts);
  v_mark text;
  v_id bigint;
  v_seq bigint;
  v_balance numeric;
  v_ids bigint[];
  v_seqs bigint[];
  v_balances numeric[];
begin
  if n between 2 and 1000 and n = cardinality(p_holders) and n = cardinality(p_assets) and n = cardinality(p_purposes)
     and length(p_reference) between 1 and 200 and length(p_kind) between 1 and 64
     and jsonb_typeof(p_meta) = 'object' is not false then
  else
    raise exception 'a posting needs a reference, a kind and at least two legs' using errcode = 'LG422';
  end if;

  if current_setting('ledger.posted', true) = 'yes' then
    if exists (select from ledger.txn t where t.reference = p_reference) then
      txn_id := ledger.repeated(
        p_reference, p_kind, p_holders, p_assets, p_purposes, p_amounts, p_meta, p_effective_at, null, null);
      replayed := true;
      return;
    end if;
    raise exception 'one posting a database transaction: give all legs to one call' using errcode = 'LG423';
  end if;
  v_mark := set_config('ledger.posted', 'yes', true);

  -- 1. The accounts, ascending: each update finds, locks and moves one. (Before the first leg there is null.)
  for i in 1..n loop
    if p_holders[i] >= 0 and p_assets[i] is not null and p_purposes[i] <> 'held'
       and p_amounts[i] <> 0 and abs(p_amounts[i]) < 1e38 and scale(p_amounts[i]) = 0
       and (i = 1 or p_holders[i] > p_holders[i - 1] or p_holders[i] = p_holders[i - 1]
            and (p_assets[i] collate "C", p_purposes[i] collate "C")
                > (p_assets[i - 1] collate "C", p_purposes[i - 1] collate "C")) then
    else
      raise exception 'leg % is out of order, of `held`, or not of a whole number of minor units', i
        using errcode = 'LG422';
    end if;
    if p_holders[i] <> 0 then
      update ledger.account a set balance = a.balance + p_amounts[i], seq = a.seq + 1
      where a.holder = p_holders[i] and a.asset = p_assets[i] and a.purpose = p_purposes[i]
        and (a.floor is null or a.balance + p_amounts[i] >= a.floor)
      returning a.id, a.seq, a.balance into v_id, v_seq, v_balance;
      if not found then
        select m.id, m.seq, m.balance into v_id, v_seq, v_balance
        from ledger.open_or_refuse(p_holders[i], p_assets[i], p_purposes[i], p_amounts[i], p_reference) m;
        exit when v_id is null;  -- the reference was posted
      end if;
      v_seqs[i] := v_seq;
      v_balances[i] := v_balance;
    else
      select a.id into v_id from ledger.account a
      where a.holder = 0 and a.asset = p_assets[i] and a.purpose = p_purposes[i];
      if not found then
        v_id := ledger.open_house_account(p_assets[i], p_purposes[i]);
      end if;
    end if;
    v_ids[i] := v_id;
  end loop;

  if v_id is not null then
    if (n > 2 or p_amounts[1] + p_amounts[2] <> 0 or p_assets[1] <> p_assets[2]) and exists (
         select from unnest(p_assets, p_amounts) u (asset, amount) group by u.asset having sum(u.amount) <> 0) then
      raise exception 'the legs do not sum to zero for each asset' using errcode = 'LG422';
    end if;

    -- 2. The id, only now: it rises with seq in every account. Readers that wait for all earlier ids rely on
    -- a transaction id being assigned before it is drawn, which a posting within the house has not done yet.
    if v_seqs is null then
      perform pg_current_xact_id();
    end if;
    insert into ledger.txn as t (reference, kind, fingerprint, effective_at, request_id, meta)
    values (
      p_reference, p_kind,
      ledger.fingerprint(p_reference, p_kind, p_holders, p_assets, p_purposes, p_amounts, p_meta, p_effective_at),
      p_effective_at, p_request_id, p_meta)
    on conflict (reference) do nothing
    returning t.id into post.txn_id;
  end if;
  if txn_id is null then
    txn_id := ledger.repeated(
      p_reference, p_kind, p_holders, p_assets, p_purposes, p_amounts, p_meta, p_effective_at, v_ids, v_seqs);
    replayed := true;
    return;
  end if;
  replayed := false;

  -- 3. The entries, in one statement, whose trigger sums them once more. Nearly every posting has two.
  if n = 2 then
    insert into ledger.entry (account_id, txn_id, seq, amount, balance_after, asset)
    values (v_ids[1], post.txn_id, v_seqs[1], p_amounts[1], v_balances[1], p_assets[1]),
           (v_ids[2], post.txn_id, v_seqs[2], p_amounts[2], v_balances[2], p_assets[2]);
  else
    insert into ledger.entry (account_id, txn_id, seq, amount, balance_after, asset)
    select u.id, post.txn_id, v_seqs[u.i], p_amounts[u.i], v_balances[u.i], p_assets[u.i]
    from unnest(v_ids) with ordinality u (id, i);
  end if;
end $$;
