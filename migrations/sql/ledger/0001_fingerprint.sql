-- What a reference stands for: the content of a posting, in its one canonical spelling.
-- It can be computed again from the stored rows, so it also shows when one of them was changed.
-- The request id is left out: a repeat comes with another. row()::text quotes, so nothing can run together.
create function ledger.fingerprint(
  p_reference text, p_kind text, p_holders bigint[], p_assets text[], p_purposes text[], p_amounts numeric[],
  p_meta jsonb, p_effective_at timestamptz
) returns bytea
language sql stable parallel safe
return sha256(convert_to(
  row(p_reference, p_kind, p_holders, p_assets, p_purposes, p_amounts, p_meta, extract(epoch from p_effective_at))::text, 'UTF8'));
