"""The first money loop: people, the outbox, the inbox, deposits and transfers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002_first_loop"
down_revision = "0001_ledger"
branch_labels = None
depends_on = None

# New rows ring the relay. One notice a statement is enough: the relay takes whatever is due.
RING = """
CREATE FUNCTION outbox_ring() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('outbox', '');
  RETURN NULL;
END $$;
CREATE TRIGGER outbox_ring AFTER INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION outbox_ring();
"""

# The app may do as it likes with its own tables, also with those that later migrations add; not so with the ledger's.
GRANTS = """
GRANT USAGE ON SCHEMA public TO advancia_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO advancia_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO advancia_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO advancia_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO advancia_app;
REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM advancia_app;
"""


def upgrade() -> None:
    op.create_table('code_send',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('email', sa.Text(), nullable=False),
    sa.Column('sent_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_code_send'))
    )
    op.create_index('ix_code_send_email_sent_at', 'code_send', ['email', 'sent_at'], unique=False)
    op.create_table('outbox',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('payload', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('secret', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('request_id', sa.Text(), nullable=True),
    sa.Column('unique_key', sa.Text(), nullable=True),
    sa.Column('attempts', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('available_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('handed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('done_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('parked_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_outbox')),
    sa.UniqueConstraint('unique_key', name=op.f('uq_outbox_unique_key')),
    postgresql_with={'fillfactor': 70}
    )
    op.create_index('ix_outbox_done', 'outbox', ['done_at'], unique=False, postgresql_where=sa.text('done_at IS NOT NULL'))
    op.create_index('ix_outbox_open', 'outbox', ['available_at'], unique=False, postgresql_where=sa.text('done_at IS NULL AND parked_at IS NULL'))
    op.create_table('sign_in_attempt',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('email', sa.Text(), nullable=False),
    sa.Column('address', sa.Text(), nullable=True),
    sa.Column('succeeded', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('tried_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sign_in_attempt'))
    )
    op.create_index('ix_sign_in_attempt_address_tried_at', 'sign_in_attempt', ['address', 'tried_at'], unique=False)
    op.create_index('ix_sign_in_attempt_email_tried_at', 'sign_in_attempt', ['email', 'tried_at'], unique=False)
    op.create_table('sign_up',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('email', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('password_hash', sa.Text(), nullable=False),
    sa.Column('terms_version', sa.Text(), nullable=False),
    sa.Column('terms_accepted_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('user_exists', sa.Boolean(), nullable=False),
    sa.Column('code_hash', sa.LargeBinary(), nullable=True),
    sa.Column('code_expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('wrong_codes', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('verified_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sign_up'))
    )
    op.create_index('ix_sign_up_created_at', 'sign_up', ['created_at'], unique=False)
    op.create_index('ix_sign_up_email', 'sign_up', ['email'], unique=False)
    op.create_table('users',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('email', sa.Text(), nullable=False),
    sa.Column('handle', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('password_hash', sa.Text(), nullable=False),
    sa.Column('role', sa.Text(), server_default=sa.text("'customer'"), nullable=False),
    sa.Column('terms_version', sa.Text(), nullable=False),
    sa.Column('terms_accepted_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('email_verified_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('suspended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("handle ~ '^[a-z][a-z0-9_]{2,29}$'", name=op.f('ck_users_handle_form')),
    sa.CheckConstraint("role IN ('customer', 'support', 'finance', 'admin', 'owner')", name=op.f('ck_users_role_known')),
    sa.CheckConstraint('email = lower(email)', name=op.f('ck_users_email_lower')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_users')),
    sa.UniqueConstraint('email', name=op.f('uq_users_email')),
    sa.UniqueConstraint('handle', name=op.f('uq_users_handle'))
    )
    op.create_table('webhook_event',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('provider', sa.Text(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('object_id', sa.Text(), nullable=True),
    sa.Column('headers', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.Column('state', sa.Text(), server_default=sa.text("'received'"), nullable=False),
    sa.Column('outcome', sa.Text(), nullable=True),
    sa.Column('received_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('settled_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('received', 'applied', 'ignored', 'parked')", name=op.f('ck_webhook_event_state_known')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_webhook_event')),
    sa.UniqueConstraint('provider', 'event_id', name=op.f('uq_webhook_event_provider_event_id'))
    )
    op.create_index('ix_webhook_event_received', 'webhook_event', ['received_at'], unique=False, postgresql_where=sa.text("state = 'received'"))
    op.create_table('deposit',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.BigInteger(), nullable=False),
    sa.Column('request_id', sa.Uuid(), nullable=False),
    sa.Column('asset', sa.Text(), nullable=False),
    sa.Column('amount', sa.Numeric(precision=38, scale=0), nullable=False),
    sa.Column('provider', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), server_default=sa.text("'created'"), nullable=False),
    sa.Column('checkout_id', sa.Text(), nullable=True),
    sa.Column('checkout_url', sa.Text(), nullable=True),
    sa.Column('failure', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('paid_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("(state = 'paid') = (paid_at IS NOT NULL)", name=op.f('ck_deposit_paid_has_time')),
    sa.CheckConstraint("state IN ('created', 'pending', 'paid', 'failed', 'expired')", name=op.f('ck_deposit_state_known')),
    sa.CheckConstraint('amount > 0', name=op.f('ck_deposit_amount_positive')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_deposit_user_id_users')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_deposit')),
    sa.UniqueConstraint('checkout_id', name=op.f('uq_deposit_checkout_id')),
    sa.UniqueConstraint('user_id', 'request_id', name=op.f('uq_deposit_user_id_request_id'))
    )
    op.create_index('ix_deposit_open', 'deposit', ['expires_at'], unique=False, postgresql_where=sa.text("state IN ('created', 'pending')"))
    op.create_index('ix_deposit_user_id_created_at', 'deposit', ['user_id', 'created_at'], unique=False)
    op.create_table('transfer',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('sender_id', sa.BigInteger(), nullable=False),
    sa.Column('recipient_id', sa.BigInteger(), nullable=False),
    sa.Column('request_id', sa.Uuid(), nullable=False),
    sa.Column('asset', sa.Text(), nullable=False),
    sa.Column('amount', sa.Numeric(precision=38, scale=0), nullable=False),
    sa.Column('fee', sa.Numeric(precision=38, scale=0), server_default=sa.text('0'), nullable=False),
    sa.Column('note', sa.Text(), server_default=sa.text("''"), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('amount > 0', name=op.f('ck_transfer_amount_positive')),
    sa.CheckConstraint('char_length(note) <= 140', name=op.f('ck_transfer_note_length')),
    sa.CheckConstraint('fee >= 0', name=op.f('ck_transfer_fee_not_negative')),
    sa.CheckConstraint('sender_id <> recipient_id', name=op.f('ck_transfer_not_to_oneself')),
    sa.ForeignKeyConstraint(['recipient_id'], ['users.id'], name=op.f('fk_transfer_recipient_id_users')),
    sa.ForeignKeyConstraint(['sender_id'], ['users.id'], name=op.f('fk_transfer_sender_id_users')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_transfer')),
    sa.UniqueConstraint('sender_id', 'request_id', name=op.f('uq_transfer_sender_id_request_id'))
    )
    op.create_index('ix_transfer_recipient_id', 'transfer', ['recipient_id'], unique=False)
    op.create_table('user_session',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('user_id', sa.BigInteger(), nullable=False),
    sa.Column('token_hash', sa.LargeBinary(), nullable=False),
    sa.Column('address', sa.Text(), nullable=True),
    sa.Column('user_agent', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('last_used_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_user_session_user_id_users')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_user_session')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_user_session_token_hash'))
    )
    op.create_index('ix_user_session_user_id', 'user_session', ['user_id'], unique=False)
    op.execute(RING)
    op.execute(GRANTS)


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")
