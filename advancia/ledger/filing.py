"""Filing: long histories are sorted by kind and direction beside the entries, so that filtered pages stay quick."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

FILE_AFTER = 500  # entries of an account that are not filed yet: as many are looked through for a page
AT_ONCE = 200_000  # entries, about, that one transaction files

FILE = text("select ledger.file_entries(:least, :most)")


def file_entries(session: Session, *, least: int = FILE_AFTER) -> int:
    """File the entries of each customer's account that has at least `least` new ones; return how many.

    No page depends on it, and no posting waits for it: it keeps short what a filter looks through. It commits on a
    connection of its own, so it may be broken off anywhere and goes on from there.
    """
    filed = 0
    with Session(session.get_bind()) as own:
        while True:
            now: int = own.scalars(FILE, {"least": least, "most": AT_ONCE}).one()
            own.commit()
            filed += now
            if now < AT_ONCE:
                return filed
