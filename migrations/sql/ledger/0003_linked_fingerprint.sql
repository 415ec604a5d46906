-- The fingerprint of a transaction with its links: that of its content, sealed together with them.
-- Without any it is that of the content alone.
create function ledger.linked_fingerprint(
  p_content bytea, p_is_hold boolean, p_resolves_id bigint, p_reverses_id bigint, p_refunds_id bigint
) returns bytea
language sql stable parallel safe
return case
  when not p_is_hold and num_nonnulls(p_resolves_id, p_reverses_id, p_refunds_id) = 0 then p_content
  else sha256(p_content || convert_to(row(p_is_hold, p_resolves_id, p_reverses_id, p_refunds_id)::text, 'UTF8'))
end;
