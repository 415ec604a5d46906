-- Seals: each stands for the transactions and the lines of the audit trail between the last one's ids and its own.
-- `leaves` names what it covers: for each transaction, account and line 15 bytes, of which 1 tells the kind,
-- 8 are the id and 6 begin its hash; so a changed row can be named. `digest` is over the whole hashes.
-- `head` is over every other column of the row but the signature, the head before included, and the signature
-- is an HMAC of the head under a key that is not in the database.
create table ledger.seal (
  id         bigint not null,
  version    smallint not null,
  upto_txn   bigint not null,
  upto_audit bigint not null,
  txns       bigint not null,
  entries    bigint not null,
  accounts   bigint not null,
  audits     bigint not null,
  digest     bytea not null,
  leaves     bytea not null,
  previous   bytea not null,
  head       bytea not null,
  signature  bytea not null,
  key_id     text not null,
  sealed_at  timestamptz not null,
  constraint pk_seal primary key (id),
  constraint ck_seal check (id > 0 and upto_txn >= 0 and upto_audit >= 0)
);
alter table ledger.seal alter column leaves set storage external;
create trigger append_only before update or delete or truncate on ledger.seal
  for each statement execute function ledger.refuse_change();

-- Add the next seal, unless somebody else has added it meanwhile; tells whether it was added. It cannot tell whether
-- the seal is right, having no key: that is for the check, and for the next sealer, who looks before going on from it.
create function ledger.add_seal(
  p_id bigint, p_version smallint, p_upto_txn bigint, p_upto_audit bigint,
  p_txns bigint, p_entries bigint, p_accounts bigint, p_audits bigint, p_digest bytea, p_leaves bytea,
  p_previous bytea, p_head bytea, p_signature bytea, p_key_id text, p_sealed_at timestamptz
) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_last ledger.seal;
begin
  lock table ledger.seal in share row exclusive mode;
  select s.* into v_last from ledger.seal s order by s.id desc limit 1;
  if p_id <> coalesce(v_last.id, 0) + 1 or p_previous <> coalesce(v_last.head, ''::bytea)
     or p_upto_txn < coalesce(v_last.upto_txn, 0) or p_upto_audit < coalesce(v_last.upto_audit, 0)
     or p_upto_txn > coalesce(pg_sequence_last_value('ledger.txn_id_seq'), 0)
     or p_upto_audit > coalesce(pg_sequence_last_value('public.audit_record_id_seq'), 0) then
    return false;
  end if;
  insert into ledger.seal (id, version, upto_txn, upto_audit, txns, entries, accounts, audits, digest, leaves,
                           previous, head, signature, key_id, sealed_at)
  values (p_id, p_version, p_upto_txn, p_upto_audit, p_txns, p_entries, p_accounts, p_audits, p_digest, p_leaves,
          p_previous, p_head, p_signature, p_key_id, p_sealed_at);
  return true;
end $$;
