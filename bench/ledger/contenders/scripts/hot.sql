\set one random(1, :customers)
\set amount random(1, 100)
\set debit -:amount
\set reference random(1, 9223372036854775807)
select ledger.post('b:' || :reference, 'deposit', array[0, :one]::bigint[], '{USD,USD}', '{clearing.stripe,available}', array[:debit, :amount]::numeric[]);
