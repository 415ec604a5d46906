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
--   40001  a batch has posted this reference meanwhile: call once more, and it is a repeat or a conflict
--
-- Locks, in one total order: the reference, then the accounts ascending, then the reference's place in the unique
-- index, which is all that a batch locks of a reference. The house's rows are not locked.
-- A transaction that waits here therefore holds only what comes before what it waits for, and no circle of
-- waiting can close. Two calls in one database transaction would break that order, hence LG423.
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
  v_lock bigint;
  v_mark text;
  v_fingerprint bytea;
  v_posted bytea;
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

  -- 1. The reference: whoever posts under it as well waits here, and then sees the outcome.
  v_fingerprint := ledger.fingerprint(
    p_reference, p_kind, p_holders, p_assets, p_purposes, p_amounts, p_meta, p_effective_at);
  v_lock := hashtextextended(p_reference, 0);
  if not pg_try_advisory_xact_lock(v_lock) then
    perform pg_advisory_xact_lock(v_lock);
  end if;
  select t.id, t.fingerprint into post.txn_id, v_posted from ledger.txn t where t.reference = p_reference;
  if found then
    if v_posted <> v_fingerprint then
      raise exception 'reference % stands for another posting', p_reference using errcode = 'LG409';
    end if;
    replayed := true;
    return;
  end if;
  replayed := false;

  if current_setting('ledger.posted', true) = 'yes' then
    raise exception 'one posting a database transaction: give all legs to one call' using errcode = 'LG423';
  end if;
  v_mark := set_config('ledger.posted', 'yes', true);

  -- 2. The accounts, ascending: each update finds, locks and moves one. (Before the first leg there is null, which
  -- no comparison holds against.)
  for i in 1..n loop
    if p_holders[i] >= 0 and p_assets[i] is not null and p_purposes[i] <> 'held'
       and p_amounts[i] <> 0 and abs(p_amounts[i]) < 1e38 and scale(p_amounts[i]) = 0
       and ((p_holders[i], p_assets[i] collate "C", p_purposes[i] collate "C")
            > (p_holders[i - 1], p_assets[i - 1] collate "C", p_purposes[i - 1] collate "C")) is not false then
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
  if (n > 2 or p_amounts[1] + p_amounts[2] <> 0 or p_assets[1] <> p_assets[2]) and exists (
       select from unnest(p_assets, p_amounts) u (asset, amount) group by u.asset having sum(u.amount) <> 0) then
    raise exception 'the legs do not sum to zero for each asset' using errcode = 'LG422';
  end if;

  -- 3. The id, only now: it rises with seq in every account. Readers that wait for all earlier ids rely on
  -- a transaction id being assigned before it is drawn, which a posting within the house has not done yet.
  if v_seqs is null then
    perform pg_current_xact_id();
  end if;
  insert into ledger.txn as t (reference, kind, fingerprint, effective_at, request_id, meta)
  values (p_reference, p_kind, v_fingerprint, p_effective_at, p_request_id, p_meta)
  on conflict (reference) do nothing
  returning t.id into post.txn_id;
  if not found then
    raise exception 'a batch has posted reference % meanwhile', p_reference using errcode = '40001';
  end if;

  -- 4. The entries, in one statement, whose trigger sums them once more. Nearly every posting has two.
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
