"""What every room stands on: database, money, time, errors and the outbox. No pages, no feature."""
