"""What the staff pages need: indexes to find people by, approvals, and rules about roles that the database holds.

Revision ID: 0011_staff
Revises: 0010_limits
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011_staff"
down_revision = "0010_limits"
branch_labels = None
depends_on = None

# Staff have no wallet of their own, so nobody is both, and nobody turns from the one into the other. And there is
# always an owner who can sign in: of two who would take the last ones away at once, the second one is refused.
ROLES = """
CREATE FUNCTION users_roles_stay_apart() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'a customer''s account stays a customer''s, and one of staff stays one of staff'
    USING ERRCODE = 'check_violation', CONSTRAINT = 'users_roles_stay_apart';
END $$;
CREATE TRIGGER roles_stay_apart BEFORE UPDATE OF role ON users FOR EACH ROW
  WHEN ((OLD.role = 'customer') <> (NEW.role = 'customer')) EXECUTE FUNCTION users_roles_stay_apart();

CREATE FUNCTION users_an_owner_stays() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('users:owners', 0));
  IF NOT EXISTS (SELECT FROM public.users u
                 WHERE u.role = 'owner' AND u.suspended_at IS NULL AND u.id <> OLD.id) THEN
    RAISE EXCEPTION 'the last owner stays' USING ERRCODE = 'check_violation', CONSTRAINT = 'users_an_owner_stays';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER an_owner_stays AFTER UPDATE OF role, suspended_at ON users FOR EACH ROW
  WHEN (OLD.role = 'owner' AND OLD.suspended_at IS NULL AND (NEW.role <> 'owner' OR NEW.suspended_at IS NOT NULL))
  EXECUTE FUNCTION users_an_owner_stays();
CREATE TRIGGER an_owner_stays_undeleted AFTER DELETE ON users FOR EACH ROW
  WHEN (OLD.role = 'owner' AND OLD.suspended_at IS NULL) EXECUTE FUNCTION users_an_owner_stays();
"""

# A decision stands, and what was asked for is not changed on the way to it.
APPROVALS = """
CREATE FUNCTION approval_decision_stands() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'this was decided' USING ERRCODE = 'check_violation', CONSTRAINT = 'approval_decision_stands';
END $$;
CREATE TRIGGER decision_stands BEFORE UPDATE ON approval FOR EACH ROW
  WHEN (OLD.state <> 'open') EXECUTE FUNCTION approval_decision_stands();
REVOKE UPDATE, DELETE, TRUNCATE ON approval FROM advancia_app;
GRANT UPDATE (state, decided_by, decided_at, decision) ON approval TO advancia_app;
"""


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_index(
        "ix_users_words", "users", [sa.text("to_tsvector('simple'::regconfig, name)")], postgresql_using="gin"
    )
    op.create_index("ix_users_email_begins", "users", ["email"], postgresql_ops={"email": "text_pattern_ops"})
    op.create_index("ix_users_handle_begins", "users", ["handle"], postgresql_ops={"handle": "text_pattern_ops"})
    op.create_index("ix_users_suspended", "users", ["id"], postgresql_where=sa.text("suspended_at IS NOT NULL"))
    op.create_index("ix_users_staff", "users", ["id"], postgresql_where=sa.text("role <> 'customer'"))
    op.create_index("ix_users_created_at", "users", ["created_at"])
    op.create_index("ix_outbox_parked", "outbox", ["parked_at"], postgresql_where=sa.text("parked_at IS NOT NULL"))
    op.create_index("ix_audit_record_action_id", "audit_record", ["action", "id"])
    op.create_index("ix_audit_record_object_kind_id", "audit_record", ["object_kind", "id"])
    op.create_index("ix_audit_record_recorded_at", "audit_record", ["recorded_at"])
    op.create_table(
        "approval",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("terms", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("decided_by", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", moment, nullable=True),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('rollback')", name=op.f("ck_approval_kind_known")),
        sa.CheckConstraint(
            "state IN ('open', 'granted', 'refused', 'withdrawn')", name=op.f("ck_approval_state_known")
        ),
        sa.CheckConstraint("char_length(reason) BETWEEN 1 AND 1000", name=op.f("ck_approval_reason_given")),
        sa.CheckConstraint(
            "(state = 'open') = (decided_by IS NULL) AND (state = 'open') = (decided_at IS NULL)",
            name=op.f("ck_approval_decided_by_somebody"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('granted', 'refused') OR decided_by <> asked_by",
            name=op.f("ck_approval_decided_by_another"),
        ),
        sa.CheckConstraint(
            "state <> 'withdrawn' OR decided_by = asked_by", name=op.f("ck_approval_withdrawn_by_oneself")
        ),
        sa.ForeignKeyConstraint(["asked_by"], ["users.id"], name=op.f("fk_approval_asked_by_users")),
        sa.ForeignKeyConstraint(["decided_by"], ["users.id"], name=op.f("fk_approval_decided_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval")),
    )
    op.create_index(
        "uq_approval_open", "approval", ["kind", "subject"], unique=True, postgresql_where=sa.text("state = 'open'")
    )
    op.create_index("ix_approval_kind_subject", "approval", ["kind", "subject"])
    op.create_index("ix_approval_asked_at", "approval", ["asked_at"])
    op.execute(ROLES)
    op.execute(APPROVALS)


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")
