"""Naughty values in every field of every route: never an error of ours, and never on a page but as text."""

from __future__ import annotations

import io
import json
from urllib.parse import quote, urlencode, urlsplit
from uuid import uuid4

import pytest
from markupsafe import escape

from tests.security.naughty import A_MEGABYTE, ATTRIBUTE, BYTES, HEADER, STRINGS, SUM, TAG
from tests.security.objects import place
from tests.security.permissions import EVERYBODY, ROLES, TABLE
from tests.support.factors import enrol_totp
from tests.support.pages import InProcess, Page, adopt_session, filled_in
from tests.support.payments import knock, signature
from tests.support.people import new_customer, new_staff

GETS = [route for route in TABLE if route.startswith("GET")]
POSTS = [route for route in TABLE if route.startswith("POST")]
FORM = "application/x-www-form-urlencoded"
ASKED = (
    "next", "before", "after", "request_id", "to", "q", "text", "page", "asset", "kind", "since", "until", "fully",
    "state", "role", "email", "who", "action", "reference", "direction",
)  # fmt: skip
STORED = f"\"'><{TAG} {ATTRIBUTE}=1>{{{{7919*6007}}}}"  # short enough to be taken as a name
SINGLY = ("a NUL", "a tag", "just beyond an id", "JSON", "very much")
IN_HEADERS = ("control characters", "emoji", "a tag", "a template", "another site", "long", "JSON")
FROM_HERE = {"Origin": "http://localhost"}


@pytest.fixture(scope="module")
def crowd(app):
    people = {role: new_staff(app, role) for role in ROLES if role != "customer"}
    return people | {"customer": new_customer(app, "Amara Okafor", USD="500.00")}


@pytest.fixture
def unlimited(app, monkeypatch):
    """Limits are proved elsewhere; here they would only keep the naughty values from getting anywhere."""
    from advancia.web.limits import limiter

    monkeypatch.setattr(limiter, "enabled", False)


class Attacker:
    """Somebody who may use the route, and signs in again whenever they were signed out."""

    def __init__(self, app, crowd, route) -> None:
        self.app, self.route = app, route
        self.place = place(app, route)
        role = next(role for role in ROLES if role in TABLE[route])
        self.person = self.place.owner if "<" in route and role == "customer" else crowd[role]
        self.come_in()
        self.fields = self.place.fields | self.form_on_its_page()
        self.fields.pop("csrf_token", None)  # which stays right, for else nothing behind it is reached

    def come_in(self):
        self.page = Page(InProcess(self.app))
        self.page.get("/login")
        if TABLE[self.route] != EVERYBODY:
            adopt_session(self.page, self.app, self.person)
        elif "/verify-email" in self.route:
            fields = self.place.fields | {"email": f"nia-{uuid4()}@test.example"}
            assert self.page.submit("/signup", **fields).status == 303
        elif "/second-factor" in self.route:
            self.person = new_customer(self.app, "Nia Price")
            enrol_totp(self.app, self.person)
            self.page.submit("/login", email=self.person.email, password=self.person.password)

    def form_on_its_page(self):
        """The fields of the form that leads to this route, if it stands on a page of the same address."""
        opened = self.page.get(self.place.path)
        forms = [each for each in opened.all("main form") if each.get("action") == self.place.path]
        return filled_in(forms[0]) if forms else {}

    def asked_on_its_page(self):
        """What the page's own filters ask for."""
        opened = self.page.get(self.place.path)
        return [str(field["name"]) for field in opened.all("main form:not([method=post]) [name]")]

    def send(self, body=b"", content_type=FORM, *, query="", method=None, headers=None):
        method = method or self.route.partition(" ")[0]
        sent = {**FROM_HERE, **(headers or {})} | ({"Content-Type": content_type} if method == "POST" else {})
        path = self.place.path + (f"?{query}" if query else "")
        answer = self.page.transport.send(method, path, body, sent)
        if urlsplit(answer.headers.get("Location", "")).path in ("/login", "/confirm"):
            self.come_in()
        return answer

    def post(self, **fields):
        return self.send(encoded({**self.fields, "csrf_token": self.page.csrf_token, **fields}))


def test_a_signed_event_may_hold_anything(page):
    """Even what is signed, and so comes from the provider, may be other than we have seen."""
    for what, value in STRINGS.items():
        for body in (
            json.dumps(value),
            json.dumps({"id": value, "type": value, "created": value, "data": value}),
            value,
        ):
            check(knock(page, body.encode(), signature(body.encode())), what)
    for value in BYTES.values():
        check(page.transport.send("POST", "/webhooks/stripe", value, {"Stripe-Signature": "t=1,v1=0"}), value)


def encoded(fields):
    return urlencode(fields, errors="surrogatepass").encode()


def check(answer, what):
    """It is an answer of ours, and what was sent stands in it as text, or not at all."""
    assert answer.status < 500, (what, answer.status)
    assert answer.status != 400 or "Error" not in answer.text, what
    assert HEADER not in answer.headers, what
    is_page = answer.headers.get("Content-Type", "").startswith("text/html")
    assert is_page or answer.headers.get("X-Content-Type-Options") == "nosniff", what
    if is_page and any(written in answer.html for written in (TAG, ATTRIBUTE, "alert(1)")):
        soup = answer.soup
        assert not soup.find(TAG), what
        assert not soup.find(attrs={ATTRIBUTE: True}), what
        assert not soup.find("script", string=lambda text: text and "alert(1)" in text), what
    assert SUM not in answer.html, what
    assert "Traceback" not in answer.html, what
    leads = urlsplit(answer.headers.get("Location") or answer.headers.get("HX-Redirect") or "")
    assert "evil" not in leads.netloc, what
    assert leads.scheme in ("", "http"), what


@pytest.fixture
def attacker(app, crowd, sandbox, unlimited):
    return lambda route: Attacker(app, crowd, route)


@pytest.fixture(scope="session")
def one_in(request):
    """Each route gets its share of the values, another one than its neighbours; with the slow tests, all of them."""
    return 8 if "not slow" in request.config.option.markexpr else 1


def share(values, one_in, route):
    """Every so-manieth of the values, begun where the route's name says."""
    return list(values)[sum(route.encode()) % one_in :: one_in]


@pytest.mark.parametrize("route", POSTS)
def test_a_form_takes_or_refuses_whatever_stands_in_its_fields(attacker, route, one_in):
    sender = attacker(route)
    for what in share(STRINGS, one_in, route):
        check(sender.post(**dict.fromkeys(sender.fields, STRINGS[what])), what)
    singly = [(name, what) for name in (*sender.fields, "csrf_token") for what in SINGLY]
    for name, what in share(singly, one_in, route):
        check(sender.post(**{name: STRINGS[what]}), (name, what))


@pytest.mark.parametrize("route", POSTS)
def test_a_form_may_come_in_any_shape(attacker, route, one_in):
    sender = attacker(route)
    good = {**sender.fields, "csrf_token": sender.page.csrf_token}
    for what, value in BYTES.items():
        check(sender.send(b"&".join(f"{name}=".encode() + quote(value).encode() for name in good)), what)
        check(sender.send(b"&".join(name.encode() + b"=" + value for name in good)), what)
    for name in share(good, one_in, route):
        check(sender.send(encoded({each: good[each] for each in good if each != name})), (name, "missing"))
        check(sender.send(encoded(good) + b"&" + encoded(good)), (name, "twice"))
        check(sender.send(encoded({**good, f"{name}[]": "1", f"{name}[a]": "1"})), (name, "as a list"))
    check(
        sender.page.transport.send("POST", sender.place.path, {**good, **files(sender.fields)}, FROM_HERE),
        "files",
    )
    for content_type in (
        "application/json", "text/plain", "application/xml", "multipart/form-data", "multipart/form-data; boundary=",
        f"{FORM}; charset=utf-7", f"{FORM}; charset=nonsense", "", "/", "a" * 500,
    ):  # fmt: skip
        check(sender.send(encoded(good), content_type), content_type)
        check(sender.send(b'{"email": ["\\ud800"]}', content_type), content_type)
    assert sender.send(encoded({**good, "note": A_MEGABYTE})).status in (303, 400, 413)


def files(names):
    return {name: (io.BytesIO(b"\0\xff<b>"), "../../naughty\r\n.html") for name in names}


@pytest.mark.parametrize("route", GETS)
def test_a_page_takes_any_question(attacker, route, one_in):
    sender = attacker(route)
    names = [*ASKED, *sender.asked_on_its_page()]
    for what in {*share(STRINGS, one_in, route), *SINGLY}:
        for asked in (names, names[3:]):
            query = encoded(dict.fromkeys(asked, STRINGS[what][:2_000])).decode()
            check(sender.send(query=query), what)
    for what, value in BYTES.items():
        check(sender.send(query="&".join(f"{name}={quote(value)}" for name in ASKED)), what)
    check(sender.send(query="&".join(f"{name}=1&{name}=2&{name}[]=3" for name in ASKED)), "twice")
    check(sender.send(query="&&=&%&%zz=%zz&" + "a=b&" * 500), "no query")


@pytest.mark.parametrize("route", ["GET /login", "GET /wallet", "GET /admin/", "POST /transfers/review"])
def test_a_header_may_say_what_it_likes(attacker, route):
    sender = attacker(route)
    for name in (
        "User-Agent", "Referer", "Origin", "X-Request-ID", "X-Forwarded-For", "Accept", "Accept-Language", "Cookie",
        "HX-Target", "HX-Request", "HX-Request-Type", "HX-Current-URL", "HX-PTag", "Sec-Fetch-Site", "Range",
        "If-None-Match", "If-Modified-Since", "Authorization", "X-CSRFToken", "Content-Length",
    ):  # fmt: skip
        for what in IN_HEADERS:
            value = STRINGS[what]
            one_line = value.replace("\r", "").replace("\n", "").encode().decode("latin-1")[:3_000]
            check(sender.send(headers={name: one_line}), (name, what))


@pytest.mark.parametrize("route", {each.partition(" ")[2]: each for each in TABLE}.values())
def test_a_method_that_a_route_does_not_have_is_refused(attacker, route):
    sender = attacker(route)
    has = {each.partition(" ")[0] for each in TABLE if each.partition(" ")[2] == route.partition(" ")[2]}
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "CONNECT", "NAUGHTY"} - has:
        assert sender.send(method=method).status == 405, method


NEXT = [
    "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example",
    "/\t/evil.example",
    "http:evil.example", "javascript:alert(1)", " //evil.example", "/\n/evil.example", "/%0a/evil.example",
    "https:/\\evil.example", "//evil.example@localhost", "\u2028//evil.example", "/..//evil.example",
]  # fmt: skip


@pytest.mark.parametrize("wanted", NEXT)
def test_a_sign_in_leads_to_no_other_site(page, customer, wanted):
    amara = customer()
    page.get("/login")
    answer = page.post("/login", {"email": amara.email, "password": amara.password, "next": wanted})

    assert answer.status == 303
    assert answer.location.startswith("/")
    assert not answer.location.startswith(("//", "/\\"))
    assert "evil" not in urlsplit(answer.location).netloc


@pytest.mark.slow
def test_what_was_taken_stands_on_no_page_but_as_text(app, crowd, attacker):
    """The second half of an injection: it is stored by one route, and does its harm on the page of another."""
    taken = 0
    for route in POSTS:
        if "customer" in TABLE[route] and TABLE[route] != EVERYBODY and "<" not in route:
            sender = attacker(route)
            for name in sender.fields:
                sender.post(**{name: STORED})
            sender.post(**dict.fromkeys(sender.fields, STORED))
    for role in ("customer", "owner"):
        for route in GETS:
            if role in TABLE[route] and TABLE[route] != EVERYBODY:
                sender = attacker(route)
                sender.person = crowd[role]
                sender.come_in()
                if "user_id" in route:
                    sender.place.path = route.partition(" ")[2].replace(
                        "<int:user_id>", str(crowd["customer"].id)
                    )
                answer = sender.send()
                check(answer, route)
                taken += escape(STORED) in answer.html
    assert taken > 10, "It was not even taken."
