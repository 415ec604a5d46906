"""The database and the machine below it."""

from __future__ import annotations

from datetime import timedelta

from alembic.script import ScriptDirectory
from sqlalchemy import text

from advancia.config import ROOT
from advancia.ops.launch.look import Look
from advancia.ops.launch.registry import Finding, Weight, check, fine, weak, wrong

MOST_SKEW = timedelta(seconds=2)
LEAST_FREE, LOW_FREE = 0.05, 0.2  # of the disk
LEAST_BYTES = 2 * 1024**3

ROLE = text("""
    select current_user as name, bool_or(r.rolsuper) as super,
           bool_or(r.rolcreaterole or r.rolcreatedb or r.rolbypassrls) as above
    from pg_roles r where r.rolname = current_user
""")
WRITABLE = text("""
    select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'ledger' and c.relkind in ('r', 'p')
      and (has_table_privilege(c.oid, 'INSERT') or has_table_privilege(c.oid, 'UPDATE')
           or has_table_privilege(c.oid, 'DELETE') or has_table_privilege(c.oid, 'TRUNCATE'))
    order by c.relname
""")


@check("The database is at the newest migration", weight=Weight.BLOCKER)
def migrations(look: Look) -> Finding:
    wanted = set(ScriptDirectory(str(ROOT / "migrations")).get_heads())
    found = set(look.session.scalars(text("select version_num from alembic_version")))
    if found != wanted:
        return wrong(
            f"It is at {', '.join(sorted(found)) or 'none'}; this version wants {', '.join(sorted(wanted))}.",
            "Run flask --app wsgi db upgrade, then restart all processes.",
        )
    return fine(f"At {', '.join(sorted(found))}.")


@check("The product cannot write the ledger past its rules", weight=Weight.BLOCKER)
def database_role(look: Look) -> Finding:
    role = look.session.execute(ROLE).one()
    writable = look.session.scalars(WRITABLE).all()
    remedy = "Connect with the app's own role: see The two database roles in docs/operations.md."
    if role.super or role.above:
        return wrong(f"The role {role.name} is above the rules: a superuser, or may make roles.", remedy)
    if writable:
        return wrong(f"The role {role.name} may write ledger.{', ledger.'.join(writable)}.", remedy)
    return fine(f"The role {role.name} may read the ledger's tables and write none, and is no superuser.")


@check("The clocks of product and database agree", weight=Weight.BLOCKER)
def clocks(look: Look) -> Finding:
    look.session.execute(text("select 1"))  # so that no connection is made between the two looks at our clock
    before = look.now()
    there = look.session.scalars(text("select clock_timestamp()")).one()
    after = look.now()
    skew = max(before - there, there - after, timedelta())
    words = f"They are {skew.total_seconds():.1f} seconds apart" + (
        " at least." if skew else ", within one question."
    )
    if skew > MOST_SKEW:
        return wrong(words, "Set both machines' clocks by NTP, such as with chrony.")
    return fine(words)


@check("There is room on the disk", weight=Weight.BLOCKER)
def disk(look: Look) -> Finding:
    usage = look.disk_usage(look.settings.var if look.settings.var.exists() else ROOT)
    share = usage.free / usage.total
    words = f"{usage.free / 1024**3:,.0f} GiB are free here, {share:.0%}."
    remedy = "Give the machine a larger disk, or find what fills it."
    if share < LEAST_FREE or usage.free < LEAST_BYTES:
        return wrong(words, remedy)
    return weak(words, remedy) if share < LOW_FREE else fine(words)
