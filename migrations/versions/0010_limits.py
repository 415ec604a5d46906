"""One table for every limit that must not be lost with the cache, and the devices that people are known by.

Revision ID: 0010_limits
Revises: 0009_recovery
"""

import sqlalchemy as sa
from alembic import op

revision = "0010_limits"
down_revision = "0009_recovery"
branch_labels = None
depends_on = None

# What was counted before goes on to be counted: failed sign-ins by account and by address, and codes sent.
CARRY_OVER = """
INSERT INTO counted_try (what, key, tried_at, expires_at)
  SELECT 'sign_in.account', email, tried_at, tried_at + interval '15 minutes' FROM sign_in_attempt WHERE NOT succeeded
  UNION ALL
  SELECT 'sign_in.address', address, tried_at, tried_at + interval '15 minutes' FROM sign_in_attempt
  WHERE NOT succeeded AND address IS NOT NULL
  UNION ALL
  SELECT 'code_send', email, sent_at, sent_at + interval '40 minutes' FROM code_send
"""


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    now = sa.text("now()")
    op.create_table(
        "counted_try",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("tried_at", moment, nullable=False),
        sa.Column("expires_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_counted_try")),
    )
    op.create_index("ix_counted_try_what_key_tried_at", "counted_try", ["what", "key", "tried_at"])
    op.create_index("ix_counted_try_expires_at", "counted_try", ["expires_at"])
    op.execute(CARRY_OVER)
    op.drop_table("sign_in_attempt")
    op.drop_table("code_send")
    op.create_table(
        "device",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("first_seen_at", moment, server_default=now, nullable=False),
        sa.Column("last_seen_at", moment, server_default=now, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_device_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
        sa.UniqueConstraint("user_id", "token_hash", name=op.f("uq_device_user_id_token_hash")),
    )
    op.add_column("user_session", sa.Column("device_id", sa.BigInteger(), nullable=True))
    op.create_index("ix_user_session_device_id", "user_session", ["device_id"])
    op.create_foreign_key(
        op.f("fk_user_session_device_id_device"),
        "user_session",
        "device",
        ["device_id"],
        ["id"],
        ondelete="SET NULL",
    )


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")
