"""The application: extensions, rooms, and the shell around them."""

from __future__ import annotations

from flask import Flask
from flask_migrate import Migrate
from flask_migrate.cli import db as migrations_cli  # type: ignore[import-not-found]
from jinja2 import StrictUndefined
from werkzeug.middleware.proxy_fix import ProxyFix

from advancia.admin import views as admin
from advancia.admin.staff.cli import staff_cli
from advancia.audit import models as _audit_trail  # noqa: F401 - the rooms above write it; migrations compare it
from advancia.config import ROOT, ConfigError, Settings, load_settings, sqlalchemy_url
from advancia.core import alarms as _alarms  # noqa: F401 - as the trail
from advancia.core import heartbeats as _heartbeats  # noqa: F401 - as the trail
from advancia.core import log
from advancia.core import recurring as _clock  # noqa: F401 - as the trail
from advancia.core.clock import utcnow
from advancia.core.db import db, notice_lost_connections
from advancia.core.encryption import Keyring
from advancia.identity import views as identity
from advancia.identity import visitor
from advancia.identity.factors import views as factors
from advancia.identity.recovery import views as recovery
from advancia.identity.services import passwords
from advancia.identity.sessions import views as sessions
from advancia.ledger.cli import ledger_cli
from advancia.ops import dev_views
from advancia.ops import views as ops
from advancia.ops.backups import models as _backups  # noqa: F401 - as the trail
from advancia.ops.backups.cli import backup_cli
from advancia.ops.cli import demo_cli
from advancia.ops.commands import app_of_commands
from advancia.ops.launch import models as _launch  # noqa: F401 - as the trail
from advancia.ops.launch.cli import launch_check
from advancia.ops.lockdown_cli import lockdown_cli
from advancia.ops.secrets.cli import secrets_cli
from advancia.payments import views as deposits
from advancia.providers.cryptomus import crypto_gateway_from
from advancia.providers.stripe import ProviderNotSetUp, gateway_from
from advancia.reconciliation.cli import reconcile_command
from advancia.wallet import views as wallet
from advancia.wallet.transfers import views as transfers
from advancia.web import (
    access,
    bodies,
    csrf,
    doors,
    errors,
    filters,
    hosts,
    htmx,
    limits,
    lockdown,
    public,
    reports,
    requests,
    security,
    typed,
    well_known,
)
from advancia.webhooks import views as webhooks
from advancia.webhooks.cli import webhooks_cli

BLUEPRINTS = (
    public.bp,
    well_known.bp,
    reports.bp,
    identity.bp,
    factors.bp,
    recovery.bp,
    sessions.bp,
    wallet.bp,
    transfers.bp,
    deposits.bp,
    webhooks.bp,
    ops.bp,
    admin.bp,
)
COMMANDS = (
    ledger_cli,
    webhooks_cli,
    staff_cli,
    demo_cli,
    secrets_cli,
    backup_cli,
    lockdown_cli,
    launch_check,
    reconcile_command,
)
TRUST_A_PROXY = (
    "TRUSTED_PROXIES is 0, though TLS ends at a proxy: all customers seem to come from its address, and five failed "
    "sign-ins lock out everybody. Set it to the number of your proxies."
)

_log = log.logger(__name__)


def create_app(settings: Settings | None = None) -> Flask:
    """Build the application. Raises `ConfigError` when a setting is wrong."""
    settings = settings or load_settings()
    log.configure(settings.log_level)
    app = Flask("advancia", root_path=str(ROOT), template_folder="templates", static_folder="static")
    app.extensions["settings"] = settings
    app.extensions["gateway"] = _gateway(settings)
    app.extensions["crypto_gateway"] = crypto_gateway_from(settings)
    app.extensions["keyring"] = Keyring(settings.field_keys)
    app.config.from_mapping(_flask_settings(settings))
    passwords.share_threads(threads=settings.web_threads, processes=settings.web_workers)
    _install_extensions(app, settings)
    _install_rooms(app, settings)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    elif settings.is_production:
        _log.warning("no_trusted_proxy", mend=TRUST_A_PROXY)
    return app


def create_app_of_commands(problem: ConfigError) -> Flask:
    """Stand in for the app where its settings are wrong: helps, encrypts settings, and else says what is wrong."""
    return app_of_commands((*COMMANDS, migrations_cli), problem)


def _flask_settings(settings: Settings) -> dict[str, object]:
    secure = settings.public_url.startswith("https:")
    return {
        "SECRET_KEY": settings.secret_key,
        "SQLALCHEMY_DATABASE_URI": sqlalchemy_url(settings.database_url),
        "SQLALCHEMY_ENGINE_OPTIONS": {
            "hide_parameters": True,  # an error's text goes to the log; passwords' hashes and codes do not
            "pool_size": settings.web_threads,
            "max_overflow": 4,
            "pool_timeout": 10,
            # A server that no longer answers is given up within seconds, not when TCP does.
            "connect_args": {"connect_timeout": 5, "keepalives_idle": 30, "tcp_user_timeout": 10_000},
        },
        "SESSION_COOKIE_NAME": "__Host-session" if secure else "session",
        "SESSION_COOKIE_SECURE": secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "WTF_CSRF_TIME_LIMIT": None,  # as long as the session
        "WTF_CSRF_SSL_STRICT": False,  # SameSite and the token itself do this work, also behind a proxy
        "PROVIDE_AUTOMATIC_OPTIONS": False,  # nobody else's pages talk to us, so nobody has to ask
        "SEND_FILE_MAX_AGE_DEFAULT": security.ONE_YEAR,  # their address changes with their content
    }


def _install_extensions(app: Flask, settings: Settings) -> None:
    # The order is that in which a request meets them.
    requests.init_app(app)
    hosts.init_app(app, settings)
    bodies.init_app(app)
    db.init_app(app)
    with app.app_context():
        notice_lost_connections(db.engine)
    lockdown.init_app(app)
    Migrate(app, db, directory=str(ROOT / "migrations"))
    htmx.init_app(app)
    visitor.init_app(app)
    access.init_app(app)
    doors.init_app(app, settings)
    limits.init_app(app, settings)
    csrf.init_app(app)
    typed.init_app(app)
    security.init_app(app, settings)
    errors.init_app(app)
    filters.init_app(app)


def _install_rooms(app: Flask, settings: Settings) -> None:
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    csrf.csrf.exempt(webhooks.bp)  # they are signed
    csrf.csrf.exempt(reports.bp)  # browsers send them by themselves, and they change nothing
    if settings.is_dev:
        app.register_blueprint(dev_views.bp)
    for group in COMMANDS:
        app.cli.add_command(group)
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(dev=settings.is_dev, sandboxed=settings.is_sandboxed)
    app.context_processor(lambda: {"now": utcnow()})


def _gateway(settings: Settings) -> object | None:
    try:
        return gateway_from(settings)
    except ProviderNotSetUp:
        return None
