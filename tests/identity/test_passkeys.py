"""Passkeys: what a device signs counts once, for one flow, from our own address, and for its owner alone."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from fido2.utils import websafe_decode, websafe_encode
from sqlalchemy import func, select, update

from advancia.core.clock import utcnow
from advancia.core.db import db, unit_of_work
from advancia.identity.factors.models import Passkey, PasskeyChallenge
from advancia.identity.factors.services import guesses
from advancia.identity.models import CountedTry, User, UserSession
from tests.support.authenticator import Authenticator
from tests.support.factors import audited, code, enrol_totp, let_minutes_pass, mails_to
from tests.support.pages import InProcess, Page
from tests.support.people import new_staff

NEW = "/settings/security/passkeys/new"
SECOND = "/login/second-factor?by=passkey"


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor")


@pytest.fixture
def device(settings):
    return Authenticator(origin=settings.public_url)


def asked_by(page, path):
    """What the script on the page gets from the server."""
    answer = page.transport.send("POST", path, None, {"X-CSRFToken": page.csrf_token})
    assert answer.status == 200, answer.text
    return json.loads(answer.html)


def add(page, device, name="My phone"):
    page.get(NEW)
    made = device.make(asked_by(page, "/settings/security/passkeys/challenge"))
    return page.post("/settings/security/passkeys", {"name": name, "credential": made})


def sign_in_with(page, device, **more):
    page.get("/login")
    signed = device.sign(asked_by(page, "/login/passkey/challenge"))
    return page.post("/login/passkey", {"credential": signed, **more})


def browser(app):
    return Page(InProcess(app))


def after_password(app, person):
    page = browser(app)
    assert (
        page.submit("/login", email=person.email, password=person.password).location == "/login/second-factor"
    )
    page.get(SECOND)
    return page


def prove_with(page, device):
    signed = device.sign(asked_by(page, "/login/second-factor/challenge"))
    return page.post(SECOND, {"credential": signed})


@pytest.fixture
def owner(page_of, amara, device):
    """Amara's browser, after she has added her device."""
    page = page_of(amara)
    assert add(page, device).location == "/settings/security/recovery-codes"
    return page


def test_adding_one_names_it_on_the_page_and_tells_by_mail_and_audit_trail(app, owner, amara):
    shown = owner.get("/settings/security")

    assert "My phone" in shown.one("section[aria-labelledby=passkeys-title]").text
    assert "1 added" in shown.text
    assert "A second factor was added to your account" in mails_to(app, amara)
    assert "factor.add" in audited(app, amara)


def test_the_browser_is_asked_for_a_discoverable_key_that_verifies_its_user(app, page_of, amara):
    page = page_of(amara)
    page.get(NEW)
    asked = asked_by(page, "/settings/security/passkeys/challenge")["publicKey"]

    assert asked["authenticatorSelection"]["residentKey"] == "required"
    assert asked["authenticatorSelection"]["userVerification"] == "required"
    assert {each["alg"] for each in asked["pubKeyCredParams"]} == {-7, -8, -257}
    assert asked["rp"]["id"] == "localhost"
    assert len(websafe_decode(asked["challenge"])) == 32
    assert amara.email.encode() not in websafe_decode(asked["user"]["id"])


def test_a_device_is_asked_not_to_make_a_second_one(owner, device):
    owner.get(NEW)
    asked = asked_by(owner, "/settings/security/passkeys/challenge")["publicKey"]

    assert [each["id"] for each in asked["excludeCredentials"]] == [websafe_encode(device.credential_id)]
    assert websafe_decode(asked["user"]["id"]) == device.user_handle


def test_it_signs_in_without_a_password_and_counts_as_both_factors(app, owner, amara, device):
    page = browser(app)

    assert sign_in_with(page, device, next="/history").location == "/history"
    assert amara.name in page.get("/wallet").text
    with app.app_context():
        opened = db.session.scalars(
            select(UserSession).where(UserSession.user_id == amara.id).order_by(UserSession.id.desc())
        ).first()
    assert opened.second_factor_at is not None
    assert opened.password_at is None


def test_what_changes_a_factor_still_wants_the_password(app, owner, amara, device):
    page = browser(app)
    sign_in_with(page, device)

    asked = page.follow(page.get(NEW))
    assert asked.one("#password")
    assert asked.all("#credential") == []
    assert page.submit_form(asked, password=amara.password).location == NEW


def test_it_is_the_second_step_after_the_password(app, owner, amara, device):
    page = after_password(app, amara)

    assert prove_with(page, device).location == "/wallet"
    assert page.get("/wallet").status == 200


def test_nobody_who_guesses_codes_keeps_its_owner_out(app, owner, amara, device):
    with app.app_context(), unit_of_work() as session:
        for limit in (guesses.PER_HOUR, guesses.IN_A_ROW):
            session.add_all(
                CountedTry(what=limit.what, key=str(amara.id), tried_at=utcnow())
                for _ in range(limit.allowed)
            )

    assert prove_with(after_password(app, amara), device).location == "/wallet"


def test_it_confirms_who_sits_there(app, owner, amara, device):
    let_minutes_pass(app, amara)
    asked = owner.follow(owner.get(NEW))
    signed = device.sign(asked_by(owner, "/confirm/challenge"))

    assert owner.submit_form(asked, password=amara.password, credential=signed).location == NEW


@pytest.mark.parametrize(
    ("bend", "why"),
    [
        ({"origin": "https://advancia.example"}, "another origin"),
        ({"origin": "http://localhost:8000.evil.example"}, "an origin that begins like ours"),
        ({"rp_id": "evil.example"}, "another site's name"),
        ({"verifies_user": False}, "nobody was verified"),
        ({"user_handle": b"somebody else"}, "another person's handle"),
        ({"credential_id": b"unknown" * 4}, "a passkey nobody has"),
    ],
)
def test_it_does_not_count_when_something_is_wrong(app, owner, amara, device, bend, why):
    for name, value in bend.items():
        setattr(device, name, value)

    page = browser(app)
    refused = sign_in_with(page, device)
    assert refused.location == "/login", why
    assert "was not accepted" in page.follow(refused).text
    assert page.get("/wallet").location.startswith("/login")
    assert prove_with(after_password(app, amara), device).status == 422, why


@pytest.mark.parametrize(
    "bend", [{"origin": "https://evil.example"}, {"rp_id": "evil.example"}, {"verifies_user": False}]
)
def test_none_is_added_when_something_is_wrong(app, page_of, amara, device, bend):
    for name, value in bend.items():
        setattr(device, name, value)
    page = page_of(amara)
    refused = add(page, device)

    assert refused.status == 422
    assert "not accepted" in refused.one("#passkey-form [role=alert]").text
    assert refused.one("#name")["value"] == "My phone"
    assert refused.one("#credential")["value"] == ""
    assert "1 added" not in page.get("/settings/security").text


def test_another_key_under_a_known_name_is_refused(app, owner, amara, device):
    from cryptography.hazmat.primitives.asymmetric import ec

    device.key = ec.generate_private_key(ec.SECP256R1())

    assert sign_in_with(browser(app), device).location == "/login"


def test_an_answer_counts_once(app, owner, amara, device):
    device.counts = False  # as synced passkeys, whose count stays at nought
    with app.app_context(), unit_of_work() as session:
        session.execute(update(Passkey).where(Passkey.user_id == amara.id).values(sign_count=0))
    page = browser(app)
    page.get("/login")
    answer = device.sign(asked_by(page, "/login/passkey/challenge"))
    assert page.post("/login/passkey", {"credential": answer}).location == "/wallet"

    again = browser(app)
    again.get("/login")
    asked_by(again, "/login/passkey/challenge")
    assert again.post("/login/passkey", {"credential": answer}).location == "/login"


def test_the_same_answer_at_once_opens_one_session(app, owner, amara, device):
    page = browser(app)
    page.get("/login")
    answer = device.sign(asked_by(page, "/login/passkey/challenge"))
    cookie = page.transport.client.get_cookie("session").value

    def send(_):
        twin = browser(app)
        twin.transport.client.set_cookie("session", cookie)
        twin.csrf_token = page.csrf_token
        return twin.post("/login/passkey", {"credential": answer}).location

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(send, range(4))) == ["/login", "/login", "/login", "/wallet"]


def test_a_challenge_is_of_no_use_in_another_browser_or_flow(app, owner, amara, device):
    page, other = browser(app), browser(app)
    for each in (page, other):
        each.get("/login")
        asked = asked_by(each, "/login/passkey/challenge")
    answer = device.sign(asked)  # what the other browser was asked
    assert page.post("/login/passkey", {"credential": answer}).location == "/login"

    waiting = after_password(app, amara)
    for_signing_in = device.sign(asked_by(waiting, "/login/passkey/challenge"))
    assert waiting.post(SECOND, {"credential": for_signing_in}).status == 422


def test_a_challenge_is_valid_for_five_minutes(app, owner, amara, device):
    page = browser(app)
    page.get("/login")
    answer = device.sign(asked_by(page, "/login/passkey/challenge"))
    with app.app_context(), unit_of_work() as session:
        session.execute(
            update(PasskeyChallenge).values(expires_at=PasskeyChallenge.expires_at - timedelta(minutes=5))
        )

    assert page.post("/login/passkey", {"credential": answer}).location == "/login"


def test_a_count_that_does_not_grow_is_a_copy_s(app, owner, amara, device):
    assert sign_in_with(browser(app), device).location == "/wallet"
    device.sign_count = 0

    assert sign_in_with(browser(app), device).location == "/login"


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "{}",
        "[]",
        "null",
        "not json",
        '{"response": {}}',
        '{"response": {"clientDataJSON": "AAAA"}}',
        "\u2028" * 50,
        "x" * 30_000,
    ],
)
def test_what_is_no_answer_at_all_is_refused_in_words(app, owner, amara, answer):
    page = browser(app)
    page.get("/login")
    asked_by(page, "/login/passkey/challenge")
    assert page.post("/login/passkey", {"credential": answer}).location == "/login"

    waiting = after_password(app, amara)
    assert waiting.post(SECOND, {"credential": answer}).status == 422
    owner.get(NEW)
    assert owner.post("/settings/security/passkeys", {"name": "It", "credential": answer}).status == 422


def test_it_belongs_to_one_person(app, owner, amara, device, customer, page_of):
    bilal = customer("Bilal Haddad")
    secret = enrol_totp(app, bilal)
    page = browser(app)
    page.submit("/login", email=bilal.email, password=bilal.password)
    page.submit("/login/second-factor", code=code(secret, step=-1))
    refused = add(page, device)
    assert "registered already" in refused.one("#passkey-form [role=alert]").text
    assert add(page, Authenticator(origin=device.origin)).status == 303

    assert prove_with(after_password(app, bilal), device).status == 422


def test_a_revoked_one_opens_nothing(app, owner, amara, device):
    second = Authenticator(origin=device.origin)
    assert add(owner, second, "Key in the drawer").location == "/settings/security/recovery-codes"
    other = browser(app)
    sign_in_with(other, device)
    link = next(a["href"] for a in owner.get("/settings/security").all("a") if a.text == "My phone")
    asked = owner.get(f"{link}/removal")
    assert "Nobody can sign in with it any more" in asked.text
    assert owner.submit_form(asked).location == "/settings/security"

    assert sign_in_with(browser(app), device).location == "/login"
    assert other.get("/wallet").location.startswith("/login"), "other sessions end"
    assert sign_in_with(browser(app), second).location == "/wallet"
    assert "A second factor was removed from your account" in mails_to(app, amara)
    assert "factor.remove" in audited(app, amara)


def test_with_the_last_one_the_password_is_enough_again(app, owner, amara):
    link = next(a["href"] for a in owner.get("/settings/security").all("a") if a.text == "My phone")
    assert "only your password guards this account" in owner.get(f"{link}/removal").text
    owner.submit(f"{link}/removal")

    assert browser(app).submit("/login", email=amara.email, password=amara.password).location == "/wallet"


def test_a_name_can_be_changed(app, owner, amara):
    link = next(a["href"] for a in owner.get("/settings/security").all("a") if a.text == "My phone")
    refused = owner.submit(link, "#name-form", name="x" * 61)
    assert refused.status == 422
    assert refused.one("#name")["value"] == "x" * 61

    assert owner.submit(link, "#name-form", name=" Telephone <b> ").location == "/settings/security"
    assert "Telephone &lt;b&gt;" in owner.get("/settings/security").html
    assert "passkey.rename" in audited(app, amara)


def test_another_person_s_looks_like_none(app, owner, page_of, customer):
    link = next(a["href"] for a in owner.get("/settings/security").all("a") if a.text == "My phone")
    stranger = page_of(customer("Bilal Haddad"))
    stranger.get("/settings/security")

    assert stranger.get(link).status == 404
    assert stranger.get(f"{link}/removal").status == 404
    assert stranger.post(link, {"name": "Mine"}).status == 404
    assert stranger.post(f"{link}/removal").status == 404
    assert "My phone" in owner.get("/settings/security").text


def test_a_suspended_person_cannot_sign_in_with_it(app, owner, amara, device):
    with app.app_context(), unit_of_work() as session:
        session.execute(update(User).where(User.id == amara.id).values(suspended_at=func.now()))

    assert sign_in_with(browser(app), device).location == "/login"
    with app.app_context():
        opened = select(func.count()).where(UserSession.user_id == amara.id)
        assert db.session.scalars(opened).one() == 1


def test_staff_get_to_their_pages_with_it(app, device):
    officer = new_staff(app, "support")
    with app.app_context(), unit_of_work() as session:
        session.execute(update(User).where(User.id == officer.id).values(second_factor_since=None))
    page = browser(app)
    page.submit("/login", email=officer.email, password=officer.password)
    assert page.get("/admin/").location == "/settings/security"
    add(page, device)
    assert page.get("/admin/").status == 200

    other = browser(app)
    assert sign_in_with(other, device).location == "/admin/"
    assert other.get("/admin/").status == 200


def test_the_challenge_wants_the_page_s_token(page):
    answer = page.transport.send("POST", "/login/passkey/challenge", None, {"X-CSRFToken": "forged"})

    assert answer.status in (303, 400)
    assert "publicKey" not in answer.html


def test_without_scripts_the_page_says_what_to_use_instead(app, owner, amara):
    waiting = after_password(app, amara)

    assert "Passkeys need JavaScript" in waiting.get(SECOND).one(".without-script").text
    assert "set up an authenticator app" in owner.get(NEW).one(".without-script").text
