-- What of ours is storage and not rules: the same as plain.sql with our index on the legs of a transaction and our
-- two foreign keys.
create index on entry (txn_id);
alter table entry
  add foreign key (account_id) references account,
  add foreign key (txn_id) references txn;
