"""The simulated card provider: Stripe's API, hosted page and signed webhooks, without money.

A process of its own (`python -m advancia.providers.sandbox`), used when no keys are set outside production.
It is reached by HTTP alone, so that nothing of the product can tell it from the real thing.
"""
