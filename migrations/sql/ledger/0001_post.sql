-- Post one transaction, atomically and at most once: the only way in which money moves.
--
-- The legs are given as four arrays of one length: distinct accounts, ascending by (holder, asset, purpose)
-- in the order of the "C" collation, amounts in minor units. Missing accounts are opened. A repeat with the
-- same content answers with the first transaction (replayed) and moves nothing.
--
-- Raises, and then leaves nothing behind, the reference included:
--   LG402  not enough money on an account; the detail is JSON: holder, asset, purpose, available, asked
--   LG409  the reference stands for other content
--   LG422  the posting is malformed
--   LG423  this database transaction has posted before
--
-- Locks, in one total order: the reference, then the accounts ascending. The house's rows are not locked.
-- A transaction that waits here therefore holds only what comes before what it waits for, and no circle of
-- waiting can close. Two calls in one database transaction would break that order, hence LG423.
--
-- READ COMMITTED is needed: each statement must see what was committed while it waited.
create function ledger.post(
  p_reference text, p_kind text,
  p_holders bigint[], p_assets text[], p_purposes text[], p_amounts numeric[],
  p_meta jsonb default null, p_effective_at timestamptz default null, p_request_id text default null,
  out txn_id bigint, out replayed boolean
) language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  n constant int := cardinality(p_amounts);
  v_fingerprint bytea;
  v_posted bytea;
  v_holder bigint;
  v_asset text collate "C";
  v_purpose text collate "C";
  v_amount numeric;
  v_last_holder bigint := -1;
  v_last_asset text collate "C" := '';
  v_last_purpose text collate "C" := '';
  v_total numeric := 0;
  v_assets int := 0;
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
  perform pg_advisory_xact_lock(hashtextextended(p_reference, 0));
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
  perform set_config('ledger.posted', 'yes', true);

  -- 2. The accounts, ascending: each update finds, locks and moves one.
  for i in 1..n loop
    v_holder := p_holders[i];
    v_asset := p_assets[i];
    v_purpose := p_purposes[i];
    v_amount := p_amounts[i];
    if num_nulls(v_holder, v_asset, v_purpose, v_amount) > 0 or v_amount = 0
       or abs(v_amount) >= 1e38 or scale(v_amount) > 0
       or (v_holder, v_asset, v_purpose) <= (v_last_holder, v_last_asset, v_last_purpose) then
      raise exception 'leg % is out of order, or its amount is not a whole number of minor units', i
        using errcode = 'LG422';
    end if;
    if v_holder <> 0 then
      update ledger.account a set balance = a.balance + v_amount, seq = a.seq + 1
      where a.holder = v_holder and a.asset = v_asset and a.purpose = v_purpose
        and (a.floor is null or a.balance + v_amount >= a.floor)
      returning a.id, a.seq, a.balance into v_id, v_seq, v_balance;
      if not found then
        select m.id, m.seq, m.balance into v_id, v_seq, v_balance
        from ledger.open_or_refuse(v_holder, v_asset, v_purpose, v_amount) m;
      end if;
    else
      select a.id into v_id from ledger.account a
      where a.holder = 0 and a.asset = v_asset and a.purpose = v_purpose;
      if not found then
        v_id := ledger.open_house_account(v_asset, v_purpose);
      end if;
      v_seq := null;
      v_balance := null;
    end if;
    v_ids[i] := v_id;
    v_seqs[i] := v_seq;
    v_balances[i] := v_balance;
    v_total := v_total + v_amount;
    if v_asset <> v_last_asset then
      v_assets := v_assets + 1;
    end if;
    v_last_holder := v_holder;
    v_last_asset := v_asset;
    v_last_purpose := v_purpose;
  end loop;
  if v_total <> 0 or v_assets > 1 and exists (
       select from unnest(p_assets, p_amounts) u (asset, amount) group by u.asset having sum(u.amount) <> 0) then
    raise exception 'the legs do not sum to zero for each asset' using errcode = 'LG422';
  end if;

  -- 3. The id, only now: it rises with seq in every account. Readers that wait for all earlier ids rely on
  -- a transaction id being assigned before it is drawn, which a posting within the house has not done yet.
  perform pg_current_xact_id();
  insert into ledger.txn as t (reference, kind, fingerprint, effective_at, request_id, meta)
  values (p_reference, p_kind, v_fingerprint, p_effective_at, p_request_id, p_meta)
  returning t.id into post.txn_id;

  -- 4. The entries, in one statement, whose trigger sums them once more.
  insert into ledger.entry (account_id, txn_id, seq, amount, balance_after, asset)
  select u.account_id, post.txn_id, u.seq, u.amount, u.balance_after, u.asset
  from unnest(v_ids, v_seqs, p_amounts, v_balances, p_assets) u (account_id, seq, amount, balance_after, asset);
end $$;
