\set one random(1, :customers)
\set two random(1, :customers - 1)
\set other :two + case when :two >= :one then 1 else 0 end
\set low least(:one, :other)
\set high greatest(:one, :other)
\set amount random(1, 100)
\set debit -:amount
\set reference random(1, 9223372036854775807)
\startpipeline
begin;
update account set balance = balance - :amount, seq = seq + 1 where id = :low;
update account set balance = balance + :amount, seq = seq + 1 where id = :high;
insert into txn (reference) values (:reference::text);
insert into entry (account_id, txn_id, amount) values (:low, currval('txn_id_seq'), :debit);
insert into entry (account_id, txn_id, amount) values (:high, currval('txn_id_seq'), :amount);
end;
\endpipeline
