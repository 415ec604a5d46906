-- The least transaction id whose row was created at p_at or later; one more than the last when there is none.
-- Ids rise with created_at but for concurrent postings and a clock that is set back, so a caller leaves
-- some room and filters by created_at as well. A binary search over the primary key: some twenty reads.
create function ledger.txn_id_at(p_at timestamptz) returns bigint
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
  v_low bigint := 0;
  v_high bigint := (select coalesce(max(t.id), 0) + 1 from ledger.txn t);
  v_middle bigint;
  v_id bigint;
  v_created_at timestamptz;
begin
  while v_low < v_high loop
    v_middle := (v_low + v_high) / 2;
    select t.id, t.created_at into v_id, v_created_at from ledger.txn t where t.id >= v_middle order by t.id limit 1;
    if not found or v_created_at >= p_at then
      v_high := v_middle;
    else
      v_low := v_id + 1;
    end if;
  end loop;
  return v_low;
end $$;
