insert into ledger.asset (code, decimals)
values ('USD', 2), ('BTC', 8), ('ETH', 18), ('USDT', 6), ('ADV', 2);

insert into ledger.purpose (name, of_house, floor)
values
  ('available', false, 0),          -- what a customer may spend
  ('held', false, 0),               -- set aside until something is decided
  ('receivable', false, null),      -- what a customer owes the house, as a negative balance
  ('clearing.sandbox', true, null), -- at the provider: a payment in makes it negative
  ('clearing.stripe', true, null),
  ('clearing.cryptomus', true, null),
  ('fees', true, null),
  ('treasury', true, null),
  ('promotions', true, null),
  ('rounding', true, null),
  ('suspense', true, null),         -- arrived, and not yet known whose it is
  ('equity', true, null);
