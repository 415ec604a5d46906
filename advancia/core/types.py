"""Column types that say what they hold."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from sqlalchemy import DateTime, Numeric
from sqlalchemy.orm import mapped_column

# A moment with its zone; the database keeps UTC.
Timestamp = Annotated[datetime, mapped_column(DateTime(timezone=True))]

# An amount in minor units, as the ledger stores it.
MINOR_UNITS = Numeric(38, 0, asdecimal=True)
