"""Second factors in a real browser: passkeys with Chromium's own virtual device, and codes with and without scripts."""

from __future__ import annotations

import base64

import pytest

from tests.support.factors import code, enrol_totp, forget_used_codes, let_minutes_pass
from tests.support.people import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("product")]


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor", USD="100.00")


DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class Device:
    """Chromium's virtual authenticator in one tab: its owner is there and verified, until told otherwise."""

    def __init__(self, page) -> None:
        self.cdp = page.context.new_cdp_session(page)
        self.cdp.send("WebAuthn.enable")
        self.id = self.cdp.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})["authenticatorId"]

    def verify_user(self, verified):
        self.cdp.send("WebAuthn.setUserVerified", {"authenticatorId": self.id, "isUserVerified": verified})

    def credentials(self):
        return self.cdp.send("WebAuthn.getCredentials", {"authenticatorId": self.id})["credentials"]


def sign_in(page, product, person):
    page.goto(product.url + "/login")
    page.fill("#email", person.email)
    page.fill("#password", PASSWORD)
    page.click("#login-form .button.primary")


def sign_out(page, product):
    page.goto(product.url + "/wallet")
    page.click("text=Sign out")
    page.wait_for_url("**/login")


def add_passkey(page, product, name="This laptop"):
    page.goto(product.url + "/settings/security")
    page.click("text=Add a passkey")
    page.fill("#name", name)
    page.click("text=Create the passkey")
    page.wait_for_url("**/settings/security/recovery-codes")


@pytest.fixture
def owner(product, tab, amara):
    """Amara's tab and device, once a passkey is added."""
    page = tab()
    device = Device(page)
    sign_in(page, product, amara)
    page.wait_for_url("**/wallet")
    add_passkey(page, product)
    return page, device


def test_a_passkey_signs_in_without_a_password(product, owner, amara):
    page, device = owner
    assert len(device.credentials()) == 1
    sign_out(page, product)

    page.click("text=Sign in with a passkey")
    page.wait_for_url("**/wallet")
    assert amara.name in page.inner_text(".who")


def test_it_leads_to_the_page_that_was_wanted(product, owner):
    page, _device = owner
    sign_out(page, product)
    page.goto(product.url + "/history?asset=USD")
    page.wait_for_url("**/login?next=**")

    page.click("text=Sign in with a passkey")
    page.wait_for_url("**/history?asset=USD")


def test_a_passkey_is_the_second_step_after_the_password(product, owner, amara):
    page, _device = owner
    sign_out(page, product)
    sign_in(page, product, amara)
    page.wait_for_url("**/login/second-factor")

    page.click("text=Use your passkey")
    page.wait_for_url("**/wallet")


def test_cancelling_says_so_and_the_button_works_again(product, owner):
    page, device = owner
    sign_out(page, product)
    device.verify_user(False)
    page.click("text=Sign in with a passkey")
    page.wait_for_selector("[data-passkey-says]:has-text('Nothing was done')")
    assert page.url.endswith("/login")

    device.verify_user(True)
    page.click("text=Sign in with a passkey")
    page.wait_for_url("**/wallet")


def test_the_same_device_is_not_added_twice(product, owner):
    page, device = owner
    page.goto(product.url + "/settings/security/passkeys/new")
    page.click("text=Create the passkey")
    page.wait_for_selector("[data-passkey-says]:has-text('already holds a passkey')")

    assert len(device.credentials()) == 1


def test_a_revoked_passkey_is_refused_in_words(product, owner, amara):
    page, _device = owner
    page.goto(product.url + "/settings/security")
    page.click("text=This laptop")
    page.click("text=Remove this passkey")
    page.click("main button:has-text('Remove the passkey')")
    page.wait_for_url("**/settings/security")
    sign_out(page, product)

    page.click("text=Sign in with a passkey")
    page.wait_for_selector(".note.error")
    assert "was not accepted" in page.inner_text(".note.error")
    assert page.url.endswith("/login")


def test_a_page_of_another_origin_cannot_use_it(product, owner):
    """The page under the server's number is another origin, whose name the passkey was not made for."""
    page, _device = owner
    asked = """async () => {
        try {
            await navigator.credentials.get({publicKey: {
                challenge: new Uint8Array(32), rpId: "localhost", userVerification: "required"}});
            return "signed";
        } catch (refusal) { return refusal.name; }
    }"""
    assert page.evaluate(asked) == "signed"

    page.goto(product.url.replace("localhost", "127.0.0.1") + "/health")
    assert page.evaluate(asked) == "SecurityError"


def test_setting_up_an_app_in_the_browser(product, tab, amara):
    page = tab()
    sign_in(page, product, amara)
    page.wait_for_url("**/wallet")
    page.goto(product.url + "/settings/security")
    page.click("text=Set up an app")
    page.click("text=I have an app")
    page.wait_for_selector("svg.qr")
    box = page.locator("svg.qr").bounding_box()
    assert box["width"] == box["height"] >= 200
    secret = base64.b32decode("".join(page.inner_text(".copy .mono").split()))

    page.fill("#code", "000000")
    page.click("text=Turn it on")
    page.wait_for_selector(".error-summary")
    assert page.evaluate("document.activeElement.className") == "error-summary"
    page.fill("#code", code(secret))
    page.click("text=Turn it on")
    page.wait_for_url("**/settings/security/recovery-codes")
    page.click("text=Show my codes")
    codes = page.locator("ol.codes li").all_inner_texts()
    for _ in range(2):
        with page.expect_download() as download:
            page.click("text=Save as a file")
        assert all(each in download.value.path().read_text() for each in codes)
    page.go_back()
    assert page.locator("ol.codes").count() == 0


def test_everything_but_passkeys_works_without_scripts(product, tab, amara, app):
    secret = enrol_totp(app, amara)
    page = tab(javascript=False)
    sign_in(page, product, amara)
    page.wait_for_url("**/login/second-factor")
    page.fill("#code", code(secret, step=-1))
    page.click("#second-factor-form .button.primary")
    page.wait_for_url("**/wallet")

    page.goto(product.url + "/settings/security/recovery-codes")
    page.click("text=Show my codes")
    recovery = page.locator("ol.codes li").first.inner_text()
    page.goto(product.url + "/settings/security/passkeys/new")
    assert page.is_visible("text=Passkeys need JavaScript")
    assert not page.is_visible("text=Create the passkey")

    sign_out(page, product)
    assert not page.is_visible("button:has-text('Sign in with a passkey')")
    sign_in(page, product, amara)
    page.click("text=Use a recovery code")
    page.fill("#recovery_code", recovery.lower().replace("-", " "))
    page.click("#second-factor-form .button.primary")
    page.wait_for_url("**/wallet")


def test_going_back_and_clicking_twice_does_no_harm(product, tab, amara, app):
    secret = enrol_totp(app, amara)
    page = tab()
    sign_in(page, product, amara)
    page.wait_for_url("**/login/second-factor")
    page.reload()
    page.fill("#code", code(secret, step=-1))
    page.dblclick("#second-factor-form .button.primary")
    page.wait_for_url("**/wallet")
    page.go_back()
    page.wait_for_url("**/wallet")

    other = page.context.new_page()
    other.goto(product.url + "/login/second-factor")
    assert other.url.endswith("/wallet")
    forget_used_codes(app, amara)


@pytest.mark.parametrize(
    "path",
    [
        "/settings/security",
        "/settings/security/app",
        "/settings/security/recovery-codes",
        "/settings/security/passkeys/new",
        "/login",
    ],
)
def test_the_pages_fit_a_narrow_screen(product, tab, amara, app, path):
    page = tab(width=320)
    if path != "/login":
        secret = enrol_totp(app, amara)
        sign_in(page, product, amara)
        page.fill("#code", code(secret))
        page.click("#second-factor-form .button.primary")
        page.wait_for_url("**/wallet")
    page.goto(product.url + path)

    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    small = page.evaluate(
        "[...document.querySelectorAll('main .button')]"
        ".filter(each => each.offsetParent && each.offsetHeight < 44).length"
    )
    assert small == 0


def test_a_large_transfer_asks_first_and_leads_back_to_its_review(product, tab, customer, app):
    rich, bilal = customer("Amara Okafor", USD="5000.00"), customer("Bilal Haddad")
    secret = enrol_totp(app, rich)
    page = tab()
    sign_in(page, product, rich)
    page.fill("#code", code(secret, step=-1))
    page.click("#second-factor-form .button.primary")
    page.wait_for_url("**/wallet")
    let_minutes_pass(app, rich)
    page.goto(product.url + "/transfers/new")
    page.fill("#recipient", bilal.email)
    page.fill("#amount", "1500")
    page.fill("#note", "For the roof")
    page.click("#transfer-form .button.primary")
    page.wait_for_url("**/transfers/review**")

    page.click("#transfer-review .button.primary")
    page.wait_for_url("**/confirm**")
    page.fill("#code", code(secret))
    page.click("#confirm-form .button.primary")
    page.wait_for_url("**/transfers/review**")
    assert "For the roof" in page.inner_text("#transfer-review")
    page.click("#transfer-review .button.primary")
    page.wait_for_selector("text=Sent to Bilal Haddad")
    page.go_back()
    assert "/confirm" not in page.url


def test_enter_means_the_passkey_where_it_is_the_one_button(product, owner):
    page, device = owner
    page.goto(product.url + "/settings/security/passkeys/new")
    page.focus("#name")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-passkey-says]:has-text('already holds a passkey')")

    assert len(device.credentials()) == 1


def test_the_way_through_by_keyboard_alone(product, tab, amara, app):
    secret = enrol_totp(app, amara)
    page = tab()
    sign_in(page, product, amara)
    page.wait_for_url("**/login/second-factor")
    page.focus("#code")
    page.keyboard.type(code(secret))
    page.keyboard.press("Enter")
    page.wait_for_url("**/wallet")
