"""Pages where a customer sends money: enter, review, receipt."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from flask import Blueprint, flash, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.datastructures import MultiDict

from advancia import ledger
from advancia.core.clock import utcnow
from advancia.core.context import Actor
from advancia.core.db import Session, db, in_unit_of_work
from advancia.core.money import Money
from advancia.ledger import InsufficientFunds
from advancia.wallet.transfers import queries, services, step_up
from advancia.wallet.transfers.errors import AlreadySent, ProofNeeded, SendingToOneself, UnknownRecipient
from advancia.wallet.transfers.forms import SigningForm, TransferForm
from advancia.wallet.transfers.queries import Terms
from advancia.web.access import current_actor, customer_required, stale_since
from advancia.web.csrf import checked_by_its_form
from advancia.web.forms import entered
from advancia.web.htmx import render, see_other, targeted_id
from advancia.web.limits import limiter

bp = Blueprint("transfers", __name__, url_prefix="/transfers")

DRAFTS = "transfer_drafts"  # in the cookie: what was typed, by request id, until it is sent
DRAFTS_KEPT = 3
FRESH = timedelta(minutes=10)
REVIEW = "transfer-review"  # the element that htmx targets from the review


@bp.get("/new")
@customer_required
def new() -> ResponseReturnValue:
    """An empty form, or what was typed a moment ago and not sent: going back from the review loses nothing.

    The same address is opened by going back and by wishing to send something else; so the page says where what
    stands in it comes from, and offers to empty it.
    """
    if (typed := _draft(request.args.get("request_id"))) is not None:
        return _form_page(TransferForm(formdata=None, data=typed))
    afresh = {"recipient": request.args.get("to", "")}
    left = None if afresh["recipient"] or "empty" in request.args else _fresh_draft()
    return _form_page(TransferForm(formdata=None, data=left or afresh), is_left=left is not None)


@bp.post("/review")
@customer_required
@checked_by_its_form
@limiter.limit("60 per minute")
def check() -> ResponseReturnValue:
    form = TransferForm()
    if not form.validate_on_submit() or _draft_of(form) is None:
        return _form_page(form, status=422)
    _keep_draft(form)
    return see_other(url_for(".review", request_id=form.request_id.data))


@bp.get("/review")
@customer_required
def review() -> ResponseReturnValue:
    typed = _draft(request.args.get("request_id"))
    if typed is None:
        return see_other(url_for(".new"))
    form = TransferForm(formdata=MultiDict(typed), meta={"csrf": False})
    if not form.validate() or (draft := _draft_of(form)) is None:
        return _form_page(TransferForm(formdata=None, data=typed))
    change_url = url_for(".new", request_id=form.request_id.data)
    return render(
        "transfers/review.html",
        form=SigningForm(formdata=None, data=typed),
        draft=draft,
        asks_first=_asks_first(draft.amount),
        change_url=change_url,
    )


@bp.post("")
@customer_required
@checked_by_its_form
@limiter.limit("120 per minute")
def create() -> ResponseReturnValue:
    form = TransferForm()
    if not form.validate_on_submit():
        return _refused(form)
    actor, since = current_actor(), stale_since()
    try:
        transfer_id = in_unit_of_work(lambda session: _send(session, form, actor, since))
    except ProofNeeded:
        return _ask_for_proof(form)
    except (UnknownRecipient, SendingToOneself) as refusal:
        form.refuse(form.recipient, str(refusal))
        return _refused(form)
    except InsufficientFunds as refusal:  # it was there at the review, and went meanwhile
        form.refuse(form.amount, str(refusal))
        return _refused(form)
    except AlreadySent as refusal:
        form.request_id.renew()
        form.refuse(form.amount, str(refusal))
        return _refused(form)
    _drop_draft(entered(form.request_id))
    return see_other(url_for(".show", transfer_id=transfer_id))


@bp.get("/<uuid:transfer_id>")
@customer_required
def show(transfer_id: UUID) -> ResponseReturnValue:
    transfer = queries.transfer_of(db.session(), current_user.id, transfer_id)
    return render("transfers/show.html", transfer=transfer)


def _send(session: Session, form: TransferForm, actor: Actor, since: datetime | None) -> UUID:
    """Send it, unless that is or makes too much since the time from which on nothing was proved any more."""
    if since is not None and step_up.needs_proof(form.money):
        raise ProofNeeded
    transfer_id = services.send(
        session,
        actor=actor,
        recipient=entered(form.recipient),
        amount=form.money,
        note=entered(form.note),
        request_id=form.request_id.uuid,
    )
    if since is not None:
        step_up.refuse_without_proof(session, user_id=actor.user_id, of_asset=form.money.asset, since=since)
    return transfer_id


def _asks_first(amount: Money) -> bool:
    """Whether sending that much now takes a proof before, alone or with what was sent since the last one."""
    if (since := stale_since()) is None:
        return False
    sent = step_up.sent_since(db.session(), user_id=current_user.id, of_asset=amount.asset, since=since)
    return sent is None or step_up.needs_proof(sent + amount)


def _draft_of(form: TransferForm) -> Terms | None:
    """What the valid form asks for, with its recipient found and its money there; else the refusal is in the form."""
    session = db.session()
    try:
        recipient = services.find_recipient(session, sender_id=current_user.id, typed=entered(form.recipient))
    except (UnknownRecipient, SendingToOneself) as refusal:
        form.refuse(form.recipient, str(refusal))
        return None
    draft = Terms(recipient, form.money, services.fee_for(form.money), entered(form.note))
    own = ledger.available(current_user.id)
    there = ledger.balance(session, own, draft.amount.asset)
    if there < draft.total:
        form.refuse(form.amount, str(InsufficientFunds(own, available=there, asked=draft.total)))
        return None
    return draft


def _refused(form: TransferForm) -> ResponseReturnValue:
    """Show the refusal in the form; from the review, which has nothing to type in, lead back to the form first."""
    if targeted_id() == REVIEW:
        for field in form:
            for message in field.errors:
                flash(message, "error")
        _keep_draft(form)
        return see_other(url_for(".new", request_id=form.request_id.data))
    return _form_page(form, status=422)


def _ask_for_proof(form: TransferForm) -> ResponseReturnValue:
    """Ask who sits there, and lead back to the review, where the transfer waits to be signed."""
    _keep_draft(form)
    back = url_for(".review", request_id=form.request_id.data)
    return see_other(url_for("factors.confirm", next=back))


def _draft(request_id: str | None) -> dict[str, str] | None:
    drafts: dict[str, dict[str, str]] = cookie.get(DRAFTS, {})
    return drafts.get(request_id or "")


def _fresh_draft() -> dict[str, str] | None:
    drafts: dict[str, dict[str, str]] = cookie.get(DRAFTS, {})
    newest = max(drafts.values(), key=lambda typed: typed["kept_at"], default=None)
    if newest is None or utcnow() - datetime.fromisoformat(newest["kept_at"]) > FRESH:
        return None
    return newest


def _keep_draft(form: TransferForm) -> None:
    typed = {name: form[name].data for name in ("recipient", "asset", "amount", "note", "request_id")}
    typed["kept_at"] = utcnow().isoformat()
    drafts = {**cookie.get(DRAFTS, {}), form.request_id.data: typed}
    cookie[DRAFTS] = dict(list(drafts.items())[-DRAFTS_KEPT:])


def _drop_draft(request_id: str) -> None:
    cookie[DRAFTS] = {kept: typed for kept, typed in cookie.get(DRAFTS, {}).items() if kept != request_id}


def _form_page(form: TransferForm, status: int = 200, *, is_left: bool = False) -> ResponseReturnValue:
    return render(
        "transfers/new.html",
        status=status,
        form=form,
        is_left=is_left,
        lines=ledger.balances_of(db.session(), current_user.id),
    )
