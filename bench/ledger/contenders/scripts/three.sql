\set one random(1, :customers)
\set two random(1, :customers - 1)
\set other :two + case when :two >= :one then 1 else 0 end
\set low least(:one, :other)
\set high greatest(:one, :other)
\set amount random(1, 100)
\set debit -1 - :amount
\set reference random(1, 9223372036854775807)
select ledger.post('b:' || :reference, 'transfer', array[0, :low, :high]::bigint[], '{USD,USD,USD}', '{fees,available,available}', array[1, :debit, :amount]::numeric[]);
