"""The audit trail, to be looked through and taken along."""
