"""The numbers of the database's advisory locks by which one process at a time does something, each there once."""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class Lock(IntEnum):
    """Any numbers, the same in every version that may run beside another."""

    CLOCK = 4_201_970
    RECONCILIATION = 4_201_971
    BACKUP_PROOF = 4_201_972
    BACKUP = 4_201_973
    RESTORE = 4_201_974
    ASKING_FOR_PROOF = 4_201_975
    LAUNCH_CHECK = 4_201_977
