-- The horizon: every transaction and every line of the audit trail with an id up to it is final. What is
-- committed is visible from now on, and nothing will be added.
--
-- First the newest ids that were handed out are read, then this transaction draws a transaction id of its own.
-- Whoever was handed one of those ids had a transaction id before that (ledger.post sees to it, and so does a
-- trigger on the audit trail), which is therefore lower than ours. So all of them have ended once no lower
-- one is running. The snapshot's xmax would not do in place of ours: it is one more than the newest that has
-- *ended*, so it may be no more than the id of a posting that still runs.
--
-- It takes no lock and stores no transaction id, so it survives dump and restore. Transactions of any database
-- of the same server hold it back for as long as they run, if they have written something. It waits for them
-- for p_patience, and then raises LG503; its detail is JSON: oldest (the transaction id it waits for), behind.
create function ledger.horizon(
  p_patience interval default '5 s', out upto_txn bigint, out upto_audit bigint
) language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_until constant timestamptz := clock_timestamp() + p_patience;
  v_own xid8;
  v_oldest xid8;
begin
  if pg_current_xact_id_if_assigned() is not null or current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'the horizon wants a transaction of its own, at read committed, that has written nothing before'
      using errcode = '25001';
  end if;
  upto_txn := coalesce(pg_sequence_last_value('ledger.txn_id_seq'), 0);
  upto_audit := coalesce(pg_sequence_last_value('public.audit_record_id_seq'), 0);
  v_own := pg_current_xact_id();
  loop
    -- Each turn sees anew who is running.
    select pg_snapshot_xmin(pg_current_snapshot()) into v_oldest;
    exit when v_oldest >= v_own;
    if clock_timestamp() >= v_until then
      raise exception 'transactions that began before are still running after %', p_patience using errcode = 'LG503',
        detail = json_build_object('oldest', v_oldest::text, 'behind', v_own::text::numeric - v_oldest::text::numeric);
    end if;
    perform pg_sleep(0.002);
  end loop;
end $$;
