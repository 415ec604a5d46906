"""What can be wrong with a backup. Each text is fit for the person who asked for it, and says what to do if it can."""

from __future__ import annotations

from advancia.core.errors import DomainError


class BackupTrouble(DomainError):
    """Something stands in the way of a backup."""


class NotSetUp(BackupTrouble):
    """The settings name no place, or nobody who could open it."""


class BackupRunning(BackupTrouble):
    """Another one is being made at this moment."""


class BackupFailed(BackupTrouble):
    """It was begun, and is not one that could be restored; nothing of it is left."""


class NoSuchBackup(BackupTrouble):
    """No backup has that name."""


class StoreTrouble(BackupTrouble):
    """The place of the backups does not do what is asked."""


class NotAllowed(StoreTrouble):
    """The credential does not suffice, which for reading and deleting may be meant."""


class PartMissing(StoreTrouble):
    """The place does not have that part."""


class BadManifest(BackupTrouble):
    """A manifest that cannot be read, or is not of a form that we know."""


class BadSignature(BadManifest):
    """A manifest that nobody with our seal keys has written, or that was changed since."""


class DumpDamaged(BackupTrouble):
    """What is stored is not what was written."""


class DumpTruncated(DumpDamaged):
    """Its end is missing."""


class WrongKey(BackupTrouble):
    """None of the identities opens it."""
