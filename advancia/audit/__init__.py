"""The audit trail: who changed what on what, from where, when and why. Lines are written once and sealed."""

from advancia.audit.models import AuditRecord
from advancia.audit.queries import records_by, records_of
from advancia.audit.services import record, record_of_stranger, record_of_system

__all__ = ["AuditRecord", "record", "record_of_stranger", "record_of_system", "records_by", "records_of"]
