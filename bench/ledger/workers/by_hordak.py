"""Posts through django-hordak's `Account.transfer_to`, each time in a transaction. Runs in its own environment."""

from __future__ import annotations

import random

import django
from django.conf import settings as django_settings

from bench.turns import Client, serve, told

ACCOUNTS = 1000


def configure(told: dict[str, str]) -> None:
    django_settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "mptt", "hordak"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": told["database"],
                "USER": told["user"],
                "HOST": told["host"],
                "CONN_MAX_AGE": None,
            }
        },
        DEFAULT_CURRENCY="USD",
        HORDAK_INTERNAL_CURRENCY="USD",
        HORDAK_CURRENCIES=["USD"],
        USE_TZ=True,
        SECRET_KEY="a key for a benchmark",  # noqa: S106
    )
    django.setup()


def migrate() -> None:
    from django.core.management import call_command
    from hordak.models import Account

    call_command("migrate", verbosity=0)
    with Account.objects.delay_mptt_updates():
        for number in range(ACCOUNTS):
            Account.objects.create(
                name=f"account {number}", type="AS", currencies=["USD"], code=f"{number:04}"
            )


def main() -> None:
    settings = told()
    configure(settings)
    if settings.get("migrate"):
        migrate()
        return
    from django.db import transaction
    from hordak.models import Account
    from moneyed import Money

    ids = list(Account.objects.values_list("id", flat=True))

    def new_client(chance: random.Random) -> Client:
        def post() -> int:
            source, destination = chance.sample(ids, 2)
            with transaction.atomic():
                found = Account.objects.in_bulk([source, destination])
                amount = Money(chance.randint(1, 100), "USD")
                found[source].transfer_to(found[destination], amount)
            return 1

        return post

    serve(new_client, threads=settings["threads"])


if __name__ == "__main__":
    main()
