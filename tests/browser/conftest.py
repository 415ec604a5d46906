"""In these tests the app is the product that runs in processes of its own."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.support.servers import Product


@pytest.fixture
def app(product: Product) -> Flask:
    return product.app
