"""Who may do what, written down from the product's contract and from nothing else: the crawler holds the code to it.

Whoever adds a route adds its line here, by what the contract says of it; a route without a line fails the crawler.
"""

from __future__ import annotations

ROLES = ("customer", "support", "finance", "admin", "owner")

EVERYBODY = frozenset({"nobody", "suspended", *ROLES})
PEOPLE = frozenset(ROLES)  # about their own account, whoever they are
CUSTOMERS = frozenset({"customer"})  # staff have no wallet
SUPPORT_UP = frozenset({"support", "finance", "admin", "owner"})
FINANCE_UP = frozenset({"finance", "admin", "owner"})
ADMIN_UP = frozenset({"admin", "owner"})
OWNER = frozenset({"owner"})

MAY = {
    EVERYBODY: """
        GET /
        GET /terms
        GET /help
        GET /status
        GET /.well-known/change-password
        GET /.well-known/security.txt
        GET /signup
        POST /signup
        GET /verify-email
        POST /verify-email
        POST /verify-email/resend
        GET /login
        POST /login
        POST /logout
        GET /dev/mail
        GET /dev/mail/<name>
        GET /health
        GET /api/health
        POST /webhooks/stripe
        POST /webhooks/cryptomus
        POST /reports
        GET /login/second-factor
        POST /login/second-factor
        POST /login/second-factor/challenge
        POST /login/passkey
        POST /login/passkey/challenge
        GET /password/forgot
        POST /password/forgot
        GET /password/forgot/sent
        GET /password/reset/<token>
        POST /password/reset/<token>
        POST /password/check
        GET /email-change/<token>
        POST /email-change/<token>
        POST /email-change/<token>/stop
        GET /factor-reset/<token>
        POST /factor-reset/<token>
        POST /factor-reset/<token>/cancel
    """,
    CUSTOMERS: """
        GET /wallet
        GET /history
        GET /history/<reference>
        GET /transfers/new
        POST /transfers/review
        GET /transfers/review
        POST /transfers
        GET /transfers/<uuid:transfer_id>
        GET /deposits/
        GET /deposits/new
        POST /deposits/new
        GET /deposits/<uuid:deposit_id>
        POST /deposits/<uuid:deposit_id>/checkout
    """,
    PEOPLE: """
        GET /confirm
        POST /confirm
        POST /confirm/challenge
        GET /settings/profile
        POST /settings/profile
        GET /settings/email
        POST /settings/email
        POST /settings/email/stop
        GET /settings/password
        POST /settings/password
        POST /settings/factor-reset/cancel
        GET /terms/acceptance
        POST /terms/acceptance
        GET /settings/security
        GET /settings/security/app
        POST /settings/security/app
        POST /settings/security/app/code
        GET /settings/security/app/removal
        POST /settings/security/app/removal
        GET /settings/security/passkeys/new
        POST /settings/security/passkeys
        POST /settings/security/passkeys/challenge
        GET /settings/security/passkeys/<uuid:passkey_id>
        POST /settings/security/passkeys/<uuid:passkey_id>
        GET /settings/security/passkeys/<uuid:passkey_id>/removal
        POST /settings/security/passkeys/<uuid:passkey_id>/removal
        GET /settings/security/recovery-codes
        POST /settings/security/recovery-codes
        POST /settings/security/recovery-codes/file
        GET /settings/sessions
        POST /settings/sessions/<int:session_id>/end
        POST /settings/sessions/all/end
        POST /settings/sessions/others/end
    """,
    SUPPORT_UP: """
        GET /admin/
        GET /admin/keys
        GET /admin/search
        GET /admin/customers/
        GET /admin/customers/<int:user_id>
        GET /admin/transactions/
        GET /admin/transactions/<int:txn_id>
        GET /admin/payments/
        GET /admin/payments/<uuid:deposit_id>
        GET /admin/payments/disputes
        GET /admin/payments/suspense
    """,
    ADMIN_UP: """
        GET /admin/customers/<int:user_id>/suspension
        POST /admin/customers/<int:user_id>/suspension
        GET /admin/customers/<int:user_id>/reinstatement
        POST /admin/customers/<int:user_id>/reinstatement
        GET /admin/customers/<int:user_id>/sign-out
        POST /admin/customers/<int:user_id>/sign-out
        GET /admin/customers/<int:user_id>/factor-reset
        POST /admin/customers/<int:user_id>/factor-reset
        GET /admin/transactions/<int:txn_id>/rollback
        POST /admin/transactions/<int:txn_id>/rollback
        POST /admin/approvals/<uuid:approval_id>/grant
        POST /admin/approvals/<uuid:approval_id>/refusal
        POST /admin/approvals/<uuid:approval_id>/withdrawal
        POST /admin/payments/<uuid:deposit_id>/resend
        POST /admin/webhooks/<int:event_id>/replay
        POST /admin/webhooks/<int:event_id>/parking
        POST /admin/webhooks/<int:event_id>/settlement
        POST /admin/work/<int:work_id>/again
        GET /admin/audit/
        GET /admin/audit/<int:line_id>
        GET /admin/audit/audit.csv
    """,
    OWNER: """
        POST /admin/clock/<job>/run
        GET /admin/staff/
        GET /admin/staff/new
        POST /admin/staff/new
        GET /admin/staff/<int:member_id>
        POST /admin/staff/<int:member_id>
        POST /admin/staff/<int:member_id>/suspension
        POST /admin/staff/<int:member_id>/reinstatement
        POST /admin/staff/<int:member_id>/factor-reset
        GET /admin/launch/
        POST /admin/launch/
        GET /admin/launch/<int:launch_id>
        GET /admin/backups/
        GET /admin/backups/new
        POST /admin/backups/new
        GET /admin/backups/pruning
        POST /admin/backups/pruning
        GET /admin/backups/<int:backup_id>
        GET /admin/proofs/new/<int:backup_id>
        POST /admin/proofs/new/<int:backup_id>
        GET /admin/proofs/<int:proof_id>
        GET /admin/lockdown/
        POST /admin/lockdown/on
        POST /admin/lockdown/off
    """,
    FINANCE_UP: """
        GET /admin/approvals/
        GET /admin/approvals/<uuid:approval_id>
        GET /admin/payments/<uuid:deposit_id>/refund
        POST /admin/payments/<uuid:deposit_id>/refund
        GET /admin/payments/suspense/<int:stray_id>
        POST /admin/payments/suspense/<int:stray_id>
        GET /admin/payments/suspense/<int:stray_id>/return
        POST /admin/payments/suspense/<int:stray_id>/return
        GET /admin/reconciliation/differences/<int:difference_id>/onward
        POST /admin/reconciliation/differences/<int:difference_id>/onward
        GET /admin/health/
        GET /admin/clock/
        GET /admin/clock/<job>
        GET /admin/alarms/
        GET /admin/alarms/<int:alarm_id>
        POST /admin/alarms/<int:alarm_id>/silence
        GET /admin/webhooks/
        GET /admin/webhooks/<int:event_id>
        GET /admin/work/
        GET /admin/reconciliation/
        POST /admin/reconciliation/
        GET /admin/reconciliation/<int:run_id>
        GET /admin/reconciliation/<int:run_id>/differences.csv
        POST /admin/reconciliation/<int:run_id>/sign-off
        GET /admin/reconciliation/differences/
        GET /admin/reconciliation/differences/<int:difference_id>
        POST /admin/reconciliation/differences/<int:difference_id>/assignment
        POST /admin/reconciliation/differences/<int:difference_id>/explanation
        GET /admin/reconciliation/differences/<int:difference_id>/posting
        POST /admin/reconciliation/differences/<int:difference_id>/posting
    """,
}

# What is asked for only of somebody who has proved within five minutes that it is they: money that leaves, and
# whatever decides who gets in.
FRESH = {
    "GET /settings/email",
    "POST /settings/email",
    "GET /settings/security/app",
    "POST /settings/security/app",
    "POST /settings/security/app/code",
    "GET /settings/security/app/removal",
    "POST /settings/security/app/removal",
    "GET /settings/security/passkeys/new",
    "POST /settings/security/passkeys",
    "POST /settings/security/passkeys/challenge",
    "GET /settings/security/passkeys/<uuid:passkey_id>/removal",
    "POST /settings/security/passkeys/<uuid:passkey_id>/removal",
    "GET /settings/security/recovery-codes",
    "POST /settings/security/recovery-codes",
    "POST /settings/sessions/<int:session_id>/end",
    "POST /settings/sessions/all/end",
    "POST /settings/sessions/others/end",
    "GET /admin/backups/new",
    "POST /admin/backups/new",
    "GET /admin/backups/pruning",
    "POST /admin/backups/pruning",
    "GET /admin/proofs/new/<int:backup_id>",
    "POST /admin/proofs/new/<int:backup_id>",
    "GET /admin/lockdown/",
    "POST /admin/lockdown/on",
    "POST /admin/lockdown/off",
    "GET /admin/payments/<uuid:deposit_id>/refund",
    "POST /admin/payments/<uuid:deposit_id>/refund",
    "POST /admin/payments/suspense/<int:stray_id>",
    "POST /admin/reconciliation/<int:run_id>/sign-off",
    "POST /admin/reconciliation/differences/<int:difference_id>/explanation",
    "GET /admin/reconciliation/differences/<int:difference_id>/onward",
    "POST /admin/reconciliation/differences/<int:difference_id>/onward",
    "POST /admin/webhooks/<int:event_id>/settlement",
    "GET /admin/reconciliation/differences/<int:difference_id>/posting",
    "POST /admin/reconciliation/differences/<int:difference_id>/posting",
    "GET /admin/payments/suspense/<int:stray_id>/return",
    "POST /admin/payments/suspense/<int:stray_id>/return",
    "GET /admin/customers/<int:user_id>/suspension",
    "POST /admin/customers/<int:user_id>/suspension",
    "GET /admin/customers/<int:user_id>/reinstatement",
    "POST /admin/customers/<int:user_id>/reinstatement",
    "GET /admin/customers/<int:user_id>/sign-out",
    "POST /admin/customers/<int:user_id>/sign-out",
    "GET /admin/customers/<int:user_id>/factor-reset",
    "POST /admin/customers/<int:user_id>/factor-reset",
    "GET /admin/transactions/<int:txn_id>/rollback",
    "POST /admin/transactions/<int:txn_id>/rollback",
    "POST /admin/approvals/<uuid:approval_id>/grant",
    "POST /admin/approvals/<uuid:approval_id>/refusal",
    "POST /admin/approvals/<uuid:approval_id>/withdrawal",
    "POST /admin/alarms/<int:alarm_id>/silence",
    "POST /admin/clock/<job>/run",
    "GET /admin/staff/new",
    "POST /admin/staff/new",
    "GET /admin/staff/<int:member_id>",
    "POST /admin/staff/<int:member_id>",
    "POST /admin/staff/<int:member_id>/suspension",
    "POST /admin/staff/<int:member_id>/reinstatement",
    "POST /admin/staff/<int:member_id>/factor-reset",
}

# What ends the session that asks for it, and so leads to the sign-in.
LEAVES = {"POST /logout", "POST /settings/sessions/all/end"}

# What is about something that an earlier step makes, and not there without it.
NEEDS_MORE = {"POST /settings/security/recovery-codes/file"}

TABLE = {route.strip(): who for who, routes in MAY.items() for route in routes.strip().splitlines()}
