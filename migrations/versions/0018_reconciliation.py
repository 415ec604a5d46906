"""Reconciliation: runs, what they compared, and what differed.

Revision ID: 0018_reconciliation
Revises: 0017_lockdown
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018_reconciliation"
down_revision = "0017_lockdown"
branch_labels = None
depends_on = None

AMOUNT = sa.Numeric(38, 0)
MOMENT = sa.DateTime(timezone=True)
JSONB = postgresql.JSONB(astext_type=sa.Text())

# Nobody signs off what they have resolved something in, nor the other way round. The differences are locked while that
# is looked at, so of the two done at once the second sees the first.
RULES = """
CREATE FUNCTION reconciliation_sign_off() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF OLD.signed_off_by IS NOT NULL THEN
    RAISE EXCEPTION 'this was signed off'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'reconciliation_sign_off_stands';
  END IF;
  PERFORM FROM public.reconciliation_difference d
    JOIN public.reconciliation_finding f ON f.difference_id = d.id
    WHERE f.run_id = NEW.id ORDER BY d.id FOR SHARE OF d;
  IF EXISTS (SELECT FROM public.reconciliation_finding f
             JOIN public.reconciliation_difference d ON d.id = f.difference_id
             WHERE f.run_id = NEW.id AND d.resolved_by = NEW.signed_off_by) THEN
    RAISE EXCEPTION 'who resolved a difference does not sign off'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'reconciliation_signed_off_by_resolver';
  END IF;
  IF NEW.note IS NULL AND (NEW.state = 'alarm' OR EXISTS (
       SELECT FROM public.reconciliation_finding f
       JOIN public.reconciliation_difference d ON d.id = f.difference_id
       WHERE f.run_id = NEW.id AND d.state IN ('open', 'assigned'))) THEN
    RAISE EXCEPTION 'what is open is signed off with a reason only'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'reconciliation_signed_off_with_reason';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER sign_off BEFORE UPDATE OF signed_off_by, signed_off_at, note ON reconciliation_run
  FOR EACH ROW WHEN (OLD.signed_off_by IS NOT NULL OR NEW.signed_off_by IS NOT NULL)
  EXECUTE FUNCTION reconciliation_sign_off();

CREATE FUNCTION reconciliation_resolution() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF OLD.state IN ('resolved', 'passed') THEN
    RAISE EXCEPTION 'this was closed'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'reconciliation_resolution_stands';
  END IF;
  IF NEW.resolved_by IS NOT NULL AND EXISTS (
       SELECT FROM public.reconciliation_finding f
       JOIN public.reconciliation_run r ON r.id = f.run_id
       WHERE f.difference_id = NEW.id AND r.signed_off_by = NEW.resolved_by) THEN
    RAISE EXCEPTION 'who signed off a run does not resolve a difference in it'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'reconciliation_resolved_by_signer';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER resolution BEFORE UPDATE ON reconciliation_difference
  FOR EACH ROW EXECUTE FUNCTION reconciliation_resolution();

REVOKE DELETE ON reconciliation_run, reconciliation_difference FROM advancia_app;
REVOKE UPDATE, DELETE ON reconciliation_finding FROM advancia_app;
"""


def upgrade() -> None:
    add_runs()
    add_differences()
    add_items()
    op.execute(RULES)


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")


def add_runs() -> None:
    op.create_table(
        "reconciliation_run",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'running'"), nullable=False),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("window_from", MOMENT, nullable=False),
        sa.Column("window_upto", MOMENT, nullable=False),
        sa.Column("snapshot_at", MOMENT, nullable=True),
        sa.Column("progress", JSONB, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("summary", JSONB, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("asked_by", sa.BigInteger(), nullable=True),
        sa.Column("begun_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("signed_off_by", sa.BigInteger(), nullable=True),
        sa.Column("signed_off_at", MOMENT, nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('nightly', 'asked')", name=op.f("ck_reconciliation_run_kind_known")),
        sa.CheckConstraint(
            "state IN ('running', 'matched', 'differs', 'alarm', 'failed')",
            name=op.f("ck_reconciliation_run_state_known"),
        ),
        sa.CheckConstraint(
            "(state = 'running') = (finished_at IS NULL)", name=op.f("ck_reconciliation_run_finished_has_time")
        ),
        sa.CheckConstraint("window_from < window_upto", name=op.f("ck_reconciliation_run_window_forward")),
        sa.CheckConstraint("signed_off_by <> asked_by", name=op.f("ck_reconciliation_run_signed_off_by_another")),
        sa.CheckConstraint(
            "(signed_off_by IS NULL) = (signed_off_at IS NULL)", name=op.f("ck_reconciliation_run_signed_off_has_time")
        ),
        sa.CheckConstraint(
            "signed_off_by IS NULL OR state IN ('matched', 'differs', 'alarm')",
            name=op.f("ck_reconciliation_run_signed_off_has_verdict"),
        ),
        sa.ForeignKeyConstraint(["asked_by"], ["users.id"], name=op.f("fk_reconciliation_run_asked_by_users")),
        sa.ForeignKeyConstraint(
            ["signed_off_by"], ["users.id"], name=op.f("fk_reconciliation_run_signed_off_by_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_run")),
    )
    op.create_index(
        "uq_reconciliation_run_running",
        "reconciliation_run",
        ["state"],
        unique=True,
        postgresql_where=sa.text("state = 'running'"),
    )


def add_differences() -> None:
    op.create_table(
        "reconciliation_difference",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("check_name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("our_ref", sa.Text(), nullable=True),
        sa.Column("their_ref", sa.Text(), nullable=True),
        sa.Column("asset", sa.Text(), nullable=True),
        sa.Column("our_amount", AMOUNT, nullable=True),
        sa.Column("their_amount", AMOUNT, nullable=True),
        sa.Column("happened_at", MOMENT, nullable=True),
        sa.Column("state", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("assigned_to", sa.BigInteger(), nullable=True),
        sa.Column("resolved_by", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("posting", sa.Text(), nullable=True),
        sa.Column("found_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", MOMENT, nullable=True),
        *_rules_of_differences(),
        sa.ForeignKeyConstraint(
            ["run_id"], ["reconciliation_run.id"], name=op.f("fk_reconciliation_difference_run_id")
        ),
        sa.ForeignKeyConstraint(
            ["assigned_to"], ["users.id"], name=op.f("fk_reconciliation_difference_assigned_to_users")
        ),
        sa.ForeignKeyConstraint(
            ["resolved_by"], ["users.id"], name=op.f("fk_reconciliation_difference_resolved_by_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_difference")),
    )
    op.create_index(
        "uq_reconciliation_difference_open",
        "reconciliation_difference",
        ["key"],
        unique=True,
        postgresql_where=sa.text("state IN ('open', 'assigned')"),
    )
    op.create_index("ix_reconciliation_difference_key", "reconciliation_difference", ["key"])
    op.create_index("ix_reconciliation_difference_run_id", "reconciliation_difference", ["run_id"])
    op.create_table(
        "reconciliation_finding",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("difference_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["reconciliation_run.id"], name=op.f("fk_reconciliation_finding_run_id_reconciliation_run")
        ),
        sa.ForeignKeyConstraint(
            ["difference_id"],
            ["reconciliation_difference.id"],
            name=op.f("fk_reconciliation_finding_difference_id"),
        ),
        sa.PrimaryKeyConstraint("run_id", "difference_id", name=op.f("pk_reconciliation_finding")),
    )
    op.create_index("ix_reconciliation_finding_difference_id", "reconciliation_finding", ["difference_id"])


def _rules_of_differences() -> list[sa.CheckConstraint]:
    rules = {
        "side_known": "side IN ('inside', 'outside')",
        "state_known": "state IN ('open', 'assigned', 'resolved', 'passed')",
        "open_is_nobodys": "state <> 'open' OR assigned_to IS NULL",
        "assigned_to_somebody": "state <> 'assigned' OR assigned_to IS NOT NULL",
        "resolved_by_somebody": "(state = 'resolved') = (resolved_by IS NOT NULL)",
        "closed_has_time": "state NOT IN ('resolved', 'passed') OR closed_at IS NOT NULL",
        "resolved_has_reason": "state <> 'resolved' OR char_length(reason) BETWEEN 1 AND 1000",
        "posted_is_resolved": "posting IS NULL OR state = 'resolved'",
    }
    return [
        sa.CheckConstraint(rule, name=op.f(f"ck_reconciliation_difference_{name}")) for name, rule in rules.items()
    ]


def add_items() -> None:
    op.create_table(
        "reconciliation_item",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("amount", AMOUNT, nullable=False),
        sa.Column("fee", AMOUNT, nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("happened_at", MOMENT, nullable=False),
        sa.CheckConstraint("side IN ('ours', 'theirs')", name=op.f("ck_reconciliation_item_side_known")),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["reconciliation_run.id"],
            name=op.f("fk_reconciliation_item_run_id_reconciliation_run"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_item")),
        sa.UniqueConstraint(
            "run_id", "provider", "side", "item_id", name=op.f("uq_reconciliation_item_run_id_provider_side_item_id")
        ),
    )
    op.create_index(
        "ix_reconciliation_item_run_id_provider_what_ref", "reconciliation_item", ["run_id", "provider", "what", "ref"]
    )
