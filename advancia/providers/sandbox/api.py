"""The API in Stripe's shape: keys, idempotency, errors."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request

from advancia.providers.sandbox.cards import Cards
from advancia.providers.sandbox.checkouts import Checkouts
from advancia.providers.sandbox.errors import ApiError
from advancia.providers.sandbox.faults import Faults
from advancia.providers.sandbox.params import nested
from advancia.providers.sandbox.store import Store

Act = Callable[..., dict[str, Any]]
Wrapper = Callable[[Act], Callable[..., Response]]

_LONGEST_KEY = 255


_RETRIEVABLE = {
    "payment_intents": "payment_intent",
    "charges": "charge",
    "refunds": "refund",
    "disputes": "dispute",
    "balance_transactions": "balance_transaction",
    "customers": "customer",
    "payouts": "payout",
}


def api(*, store: Store, cards: Cards, faults: Faults, key: str) -> Blueprint:
    """The routes under /v1, for callers who know the key."""
    checkouts, payments, refunds, disputes = cards.checkouts, cards.payments, cards.refunds, cards.disputes
    bp = Blueprint("api", __name__, url_prefix="/v1")

    @bp.before_request
    def check_key() -> None:
        if not hmac.compare_digest(_offered_key().encode(), key.encode()):
            raise ApiError("Invalid API Key provided.", status=401)

    @bp.errorhandler(ApiError)
    def refuse(error: ApiError) -> Response:
        return _answer(error.body(), error.status)

    once, plain = _callers(store, faults)
    bp.post("/checkout/sessions", endpoint="create")(once(lambda: checkouts.create(_params())))
    bp.get("/checkout/sessions", endpoint="find")(plain(lambda: _found(checkouts, _params())))
    bp.get("/checkout/sessions/<thing_id>", endpoint="retrieve")(
        plain(lambda thing_id: checkouts.retrieve(thing_id, _params().get("expand")))
    )
    bp.post("/checkout/sessions/<thing_id>/expire", endpoint="expire")(once(checkouts.close))
    bp.post("/payment_intents", endpoint="pay")(once(lambda: payments.create(_params())))
    bp.get("/payment_intents", endpoint="payments")(plain(lambda: payments.begun(request.path, _params())))
    bp.get("/balance_transactions", endpoint="moved")(
        plain(lambda: cards.balance.history(request.path, _params()))
    )
    bp.get("/balance", endpoint="balance")(plain(cards.balance.tell))
    bp.post("/refunds", endpoint="refund")(once(lambda: refunds.create(_params())))
    bp.get("/refunds", endpoint="refunds")(plain(lambda: refunds.of(request.path, _params())))
    bp.get("/disputes", endpoint="disputes")(plain(lambda: disputes.of(request.path, _params())))
    bp.get(f"/<any({', '.join(_RETRIEVABLE)}):kind>/<thing_id>", endpoint="read")(
        plain(lambda kind, thing_id: payments.retrieve(thing_id, _RETRIEVABLE[kind], _params()))
    )
    return bp


def _callers(store: Store, faults: Faults) -> tuple[Wrapper, Wrapper]:
    """How calls that change something, and calls that only read, become views."""

    def once(act: Act) -> Callable[..., Response]:
        return lambda **names: faults.around(lambda: _once(store, lambda: act(**names)))

    def plain(act: Act) -> Callable[..., Response]:
        return lambda **names: faults.around(lambda: _answer(act(**names)))

    return once, plain


def _once(store: Store, act: Callable[[], dict[str, Any]]) -> Response:
    """Do it, or repeat the answer given under the same idempotency key.

    A refusal does not use up the key. The same key with other parameters is an error.
    """
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > _LONGEST_KEY:
        raise ApiError("Idempotency keys have at most 255 characters.", kind="idempotency_error")
    with store.transaction():
        first = store.answer(key) if key else None
        if first is not None:
            if first[0] != _fingerprint():
                raise ApiError(
                    "Keys for idempotent requests can only be used with the same parameters they were first "
                    f"used with. Try using a key other than '{key}' for a different request.",
                    kind="idempotency_error",
                )
            return _answer(json.loads(first[1]), headers={"Idempotent-Replayed": "true"})
        made = act()
        if key:
            store.keep_answer(key, _fingerprint(), json.dumps(made))
    return _answer(made)


def _found(checkouts: Checkouts, params: dict[str, Any]) -> dict[str, Any]:
    if "payment_intent" not in params:
        raise ApiError("The simulation finds sessions by their payment_intent alone.", param="payment_intent")
    found = checkouts.of_payment(params["payment_intent"], params.get("expand"))
    return {"object": "list", "url": request.path, "has_more": False, "data": found}


def _answer(body: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    marks = {"Request-Id": f"req_{secrets.token_hex(7)}", "Cache-Control": "no-store"}
    return Response(json.dumps(body), status, {**marks, **(headers or {})}, mimetype="application/json")


def _params() -> dict[str, Any]:
    return nested([*request.args.items(multi=True), *request.form.items(multi=True)])


def _fingerprint() -> str:
    asked = [request.method, request.path, sorted(request.form.items(multi=True))]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def _offered_key() -> str:
    """The key of a Bearer header, or the user name of a Basic one."""
    offered = request.authorization
    if offered is None:
        return ""
    return (offered.token or "") if offered.type == "bearer" else (offered.username or "")
