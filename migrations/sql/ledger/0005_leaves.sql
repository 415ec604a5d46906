-- What a seal of version 1 covers, a hash for each thing: transactions with their entries, the accounts that are
-- used for the first time, lines of the audit trail. record_send gives the number of columns, and for each its
-- type, its length and its bytes, so nothing can run together. Texts are in the client's encoding: UTF8, please.
-- A new column of these tables needs a new version: seals that exist were made without it.
create function ledger.leaves_1(p_after_txn bigint, p_upto_txn bigint, p_after_audit bigint, p_upto_audit bigint)
returns table (kind text, id bigint, parts bigint, hash bytea)
language sql stable parallel safe
begin atomic
  select 't'::text, t.id, e.parts,
         sha256(record_send(row(t.id, t.created_at, t.effective_at, t.reference::text, t.kind::text, t.fingerprint,
                                t.request_id, t.meta, t.is_hold, t.resolves_id, t.reverses_id, t.refunds_id)) || e.sent)
  from ledger.txn t
  join (
    select x.txn_id, count(*) as parts,
           string_agg(record_send(row(x.account_id, x.seq, x.amount, x.balance_after, x.asset)), ''::bytea
                      order by x.account_id) as sent
    from ledger.entry x
    where x.txn_id > p_after_txn and x.txn_id <= p_upto_txn
    group by x.txn_id
  ) e on e.txn_id = t.id
  where t.id > p_after_txn and t.id <= p_upto_txn
  union all
  select 'a'::text, a.id, 0::bigint,
         sha256(record_send(row(a.id, a.holder, a.floor, a.opened_at, a.asset, a.purpose)))
  from (
    -- A running account's first entry has the seq 1. The house's have none, but there are few of them.
    select x.account_id, bool_or(x.seq = 1) as is_first from ledger.entry x
    where x.txn_id > p_after_txn and x.txn_id <= p_upto_txn and (x.seq = 1 or x.seq is null)
    group by x.account_id
  ) u
  join ledger.account a on a.id = u.account_id
  where u.is_first
     or (select x.txn_id from ledger.entry x where x.account_id = u.account_id order by x.txn_id limit 1) > p_after_txn
  union all
  select 'l'::text, l.id, 0::bigint,
         sha256(record_send(row(l.id, l.recorded_at, l.actor_id, l.role, l.action, l.object_kind, l.object_id,
                                l.before, l.after, l.address, l.reason, l.request_id)))
  from public.audit_record l
  where l.id > p_after_audit and l.id <= p_upto_audit;
end;

-- The block of a seal of version 1.
create function ledger.block_1(
  p_after_txn bigint, p_upto_txn bigint, p_after_audit bigint, p_upto_audit bigint,
  out txns bigint, out entries bigint, out accounts bigint, out audits bigint, out digest bytea, out leaves bytea
) language sql stable parallel safe
begin atomic
  select count(*) filter (where l.kind = 't'), coalesce(sum(l.parts), 0)::bigint,
         count(*) filter (where l.kind = 'a'), count(*) filter (where l.kind = 'l'),
         sha256(coalesce(string_agg(l.name || l.hash, ''::bytea order by l.name), ''::bytea)),
         coalesce(string_agg(l.name || substr(l.hash, 1, 6), ''::bytea order by l.name), ''::bytea)
  from (
    select k.kind, k.parts, k.hash, convert_to(k.kind, 'UTF8') || int8send(k.id) as name
    from ledger.leaves_1(p_after_txn, p_upto_txn, p_after_audit, p_upto_audit) k
  ) l;
end;
