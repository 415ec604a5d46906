"""The clock, for staff: all recurring work, how its last run went, when the next one comes, and a run on request."""
