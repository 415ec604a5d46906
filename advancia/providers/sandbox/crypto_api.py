"""The API in Cryptomus's shape: a merchant, a signature over each request, answers with a state."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request

from advancia.providers import php_json
from advancia.providers.cryptomus import SANDBOX_MERCHANT, sandbox_payout_key
from advancia.providers.cryptomus_events import signature
from advancia.providers.sandbox.errors import ApiError
from advancia.providers.sandbox.faults import Faults
from advancia.providers.sandbox.invoices import Invoices, result
from advancia.providers.sandbox.payouts import Payouts


def signer(key: str) -> Callable[[dict[str, Any]], str]:
    """How the provider writes a webhook: as PHP does, with the signature at its end."""

    def signed(body: dict[str, Any]) -> str:
        return php_json.encoded(body | {"sign": signature(php_json.encoded(body), key)})

    return signed


def crypto_api(*, invoices: Invoices, payouts: Payouts, faults: Faults, key: str) -> Blueprint:
    """The routes under /v1 that are Cryptomus's, for callers who know the key: payouts have one of their own."""
    bp = Blueprint("crypto_api", __name__, url_prefix="/v1")

    @bp.before_request
    def check_signature() -> None:
        is_payout = request.path.startswith(f"{bp.url_prefix}/payout")
        needed = sandbox_payout_key(key) if is_payout else key
        expected = signature(request.get_data(as_text=True), needed)
        is_ours = hmac.compare_digest(request.headers.get("sign", "").encode(), expected.encode())
        if not is_ours or request.headers.get("merchant") != SANDBOX_MERCHANT:
            raise ApiError("Invalid Sign.", status=401)

    @bp.errorhandler(ApiError)
    def refuse(error: ApiError) -> Response:
        told: dict[str, Any] = {"state": 1, "message": str(error)}
        if error.param:
            told |= {"errors": {error.param: [str(error)]}}
        return _answer(told, error.status)

    acts: dict[str, Callable[[dict[str, Any]], Any]] = {
        "/payment": lambda asked: result(invoices.create(asked)),
        "/payment/info": lambda asked: result(invoices.info(asked)),
        "/payment/list": lambda asked: invoices.history(asked, request.args.get("cursor")),
        "/payment/refund": invoices.refund,
        "/payment/resend": invoices.resend,
        "/test-webhook/payment": invoices.test,
        "/payout": payouts.create,
        "/payout/info": payouts.info,
        "/payout/list": lambda asked: payouts.history(asked, request.args.get("cursor")),
    }
    for path, act in acts.items():
        bp.post(path, endpoint=path.strip("/").replace("/", "_"))(_view(act, faults))
    return bp


def _view(act: Callable[[dict[str, Any]], Any], faults: Faults) -> Callable[[], Response]:
    def answer() -> Response:
        told = faults.around(lambda: act(_asked()))
        return _answer({"state": 0, "result": [] if told is None else told}, 200)

    return answer


def _asked() -> dict[str, Any]:
    try:
        asked = json.loads(request.get_data() or b"{}")
    except ValueError:
        asked = None
    if not isinstance(asked, dict):
        raise ApiError("The body is not a JSON object.", status=422)
    return asked


def _answer(body: dict[str, Any], status: int) -> Response:
    return Response(
        php_json.encoded(body), status, {"Cache-Control": "no-store"}, mimetype="application/json"
    )
