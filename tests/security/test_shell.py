"""The outer shell: names, sizes, methods, policies, their reports, and what programs look for."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from advancia.app import create_app
from advancia.config import ConfigError, load_settings
from advancia.core.clock import utcnow
from advancia.web import bodies, reports
from tests.support.pages import InProcess, Page
from tests.support.payments import event, knock, signature

STRONG = "0123456789abcdef" * 4
PRODUCTION = {
    "ADVANCIA_ENV": "production",
    "PUBLIC_URL": "https://pay.example.com",
    "SECRET_KEY": STRONG,
    "SEAL_KEYS": f"2026a:{STRONG}",
    "FIELD_KEYS": f"2026a:{STRONG}",
    "SMTP_URL": "smtp://mail.example.com",
    "TRUSTED_PROXIES": "1",
}


@pytest.fixture
def over_tls(environ):
    """A browser on a product that customers know as https://pay.example.com, and as www.example.com besides."""
    public = {**environ, "PUBLIC_URL": "https://pay.example.com", "TRUSTED_HOSTS": "www.example.com"}
    return Page(InProcess(create_app(load_settings(public))))


# Names


@pytest.mark.parametrize(
    "host", ["pay.example.com", "PAY.example.com:443", "www.example.com", "pay.example.com:8443"]
)
def test_the_names_in_the_settings_are_answered(over_tls, host):
    assert over_tls.get("/login", headers={"Host": host}).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "pay.example.com.evil.example", "evil.example:443", "pay.example.com@evil.example",
        "pay.example.com, evil.example", "pay.example.com.", "[::1", "", "pay.example.com:80:81", "<script>",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/login", "/nowhere", "/static/js/app.js", "/.well-known/security.txt"])
def test_any_other_name_is_refused_with_a_plain_page_that_does_not_repeat_it(over_tls, host, path):
    answer = over_tls.get(path, headers={"Host": host})

    assert answer.status == 400
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.html == "This is not an address of ours. Open https://pay.example.com instead.\n"


@pytest.mark.parametrize("path", ["/health", "/api/health"])
def test_probes_may_call_a_process_by_its_own_address(over_tls, path):
    assert over_tls.get(path, headers={"Host": "10.1.2.3:8000"}).status == 200


@pytest.mark.parametrize(
    ("host", "status"), [("127.0.0.1:8000", 200), ("[::1]:8000", 200), ("evil.example", 400)]
)
def test_in_development_this_machine_is_known_and_a_name_that_was_bent_to_it_is_not(page, host, status):
    assert page.get("/login", headers={"Host": host}).status == status


def test_in_production_a_number_is_no_name(environ):
    page = Page(InProcess(create_app(load_settings({**environ, **PRODUCTION}))))

    assert page.get("/login", headers={"Host": "10.1.2.3"}).status == 400
    assert (
        page.get("/login", headers={"Host": "10.1.2.3", "X-Forwarded-Host": "pay.example.com"}).status == 200
    )
    assert (
        page.get("/login", headers={"Host": "pay.example.com", "X-Forwarded-Host": "evil.example"}).status
        == 400
    )


@pytest.mark.parametrize("hosts", ["https://pay.example.com", "pay.example.com:443", "*", ".example.com"])
def test_a_setting_that_is_no_list_of_names_stops_the_start(environ, hosts):
    with pytest.raises(ConfigError, match="TRUSTED_HOSTS"):
        load_settings({**environ, "TRUSTED_HOSTS": hosts})


# Sizes


def test_a_form_that_is_too_large_is_refused_in_words(page):
    page.get("/signup")
    answer = page.post("/signup", {"name": "a" * bodies.LARGEST_FORM})

    assert answer.status == 413
    assert "larger than we take. Nothing was changed" in answer.one("main").text


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b"]
)
def test_a_form_with_too_many_fields_is_refused(page, content_type):
    page.get("/signup")
    many = range(bodies.MOST_FIELDS + 1)
    part = '--b\r\nContent-Disposition: form-data; name="f"\r\n\r\n1\r\n'
    body = "".join(part for _ in many) + "--b--\r\n" if "multipart" in content_type else "f=1&" * len(many)

    answer = page.transport.send("POST", "/signup", body, {"Content-Type": content_type})

    assert answer.status == 413


def test_a_provider_may_send_more_than_a_form_may_and_not_without_end(page):
    small, large = (
        event("charge.updated", "c") + b" " * size for size in (2 * bodies.LARGEST_FORM, 600 * 1024)
    )

    assert knock(page, small, signature(small)).status == 200
    assert knock(page, large, signature(large)).status == 413


# Files


@pytest.mark.parametrize(
    "path",
    [
        "/static/", "/static", "/static/../wsgi.py", "/static/%2e%2e/wsgi.py", "/static/..%2fwsgi.py", "/.git/config",
        "/.env", "/wsgi.py", "/requirements.txt", "/static/js/", "/static/%00", "/robots.txt.bak",
    ],
)  # fmt: skip
def test_nothing_is_listed_and_no_file_beside_the_public_ones_is_served(page, path):
    assert page.get(path).status == 404


def test_what_serves_development_alone_is_not_there_in_production(environ):
    production = create_app(load_settings({**environ, **PRODUCTION}))

    assert not production.debug
    assert [rule.rule for rule in production.url_map.iter_rules() if rule.rule.startswith("/dev")] == []


# Methods


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "X"])
@pytest.mark.parametrize("path", ["/login", "/wallet", "/health", "/webhooks/stripe"])
def test_a_method_that_a_page_does_not_have_is_refused(page, method, path):
    assert page.transport.send(method, path, None, {}).status == 405


# Policies


def test_every_answer_takes_away_what_we_do_not_use_and_names_where_reports_go(page):
    for path in ("/", "/nowhere", "/health", "/static/js/app.js", "/.well-known/security.txt"):
        headers = page.get(path).headers
        allowed = dict(each.split("=") for each in headers["Permissions-Policy"].split(", "))
        assert {name for name, who in allowed.items() if who != "()"} == {
            "clipboard-write", "publickey-credentials-create", "publickey-credentials-get",
        }  # fmt: skip
        assert {who for who in allowed.values() if who != "()"} == {"(self)"}
        assert {"camera", "geolocation", "microphone", "payment", "usb", "display-capture"} <= set(allowed)
        assert headers["Reporting-Endpoints"] == 'shell="/reports"'
        assert "report-to shell; report-uri /reports" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert (
            headers["Cross-Origin-Resource-Policy"] == headers["Cross-Origin-Opener-Policy"] == "same-origin"
        )
        assert headers["Server"] == "Advancia"
        assert not {"X-Powered-By", "Access-Control-Allow-Origin"} & set(headers)


def test_every_cookie_is_bound_to_this_host_and_out_of_reach_of_scripts(over_tls, app):
    for path in ("/login", "/signup"):
        for cookie in over_tls.get(path, headers={"Host": "pay.example.com"}).headers.getlist("Set-Cookie"):
            assert cookie.startswith("__Host-")
            assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= {
                each.strip() for each in cookie.split(";")
            }
            assert "Domain" not in cookie


# Reports

SENT_BY_FIREFOX = {
    "csp-report": {
        "document-uri": "http://localhost/dev/mail/secret-name.eml?mail=amara@test.example#top",
        "referrer": "http://localhost/history?text=secret",
        "violated-directive": "script-src-elem",
        "effective-directive": "script-src-elem",
        "original-policy": "default-src 'none'",
        "blocked-uri": "https://user:pass@evil.example/secret.js?who=amara",
        "source-file": "http://localhost/static/js/app.js?v=1",
        "line-number": 12,
        "script-sample": "alert('secret')",
        "disposition": "enforce",
    }
}
SENT_BY_CHROMIUM = {
    "type": "csp-violation",
    "url": "http://localhost/dev/mail/secret-name.eml?mail=amara@test.example",
    "user_agent": "secret",
    "body": {
        "documentURL": "http://localhost/dev/mail/secret-name.eml?mail=amara@test.example",
        "effectiveDirective": "script-src-elem",
        "blockedURL": "https://evil.example/secret.js",
        "sourceFile": "http://localhost/static/js/app.js",
        "lineNumber": 12,
        "sample": "secret",
        "disposition": "enforce",
    },
}


def send_report(page, content, content_type=reports.OLD):
    body = content if isinstance(content, bytes) else json.dumps(content)
    return page.transport.send("POST", reports.PATH, body, {"Content-Type": content_type})


def told(caplog):
    return [record.msg for record in caplog.records if "policy_violated" in str(record.msg)]


@pytest.mark.parametrize(
    ("content", "content_type"), [(SENT_BY_FIREFOX, reports.OLD), ([SENT_BY_CHROMIUM], reports.NEW)]
)
def test_a_report_is_logged_without_anything_that_names_a_person(page, caplog, content, content_type):
    assert send_report(page, content, content_type).status == 204
    (line,) = told(caplog)

    assert line["page"] == "/dev/mail/<name>"
    assert line["directive"] == "script-src-elem"
    assert line["blocked"] == "https://evil.example"
    assert line["source"] == "http://localhost"
    assert line["line"] == 12
    assert not [word for word in ("secret", "amara", "pass", "user:") if word in str(line)]


@pytest.mark.parametrize("name", ["blocked-uri", "source-file"])
@pytest.mark.parametrize("guest", ["moz-extension://0a1b/x.js", "chrome-extension", "about:blank"])
def test_what_an_extension_did_is_not_our_business(page, caplog, name, guest):
    report = {"csp-report": {**SENT_BY_FIREFOX["csp-report"], name: guest}}

    assert send_report(page, report).status == 204
    assert told(caplog) == []


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"", reports.OLD, 400),
        (b"\xff\x00", reports.OLD, 400),
        (b"[" * 9_000, reports.OLD, 400),
        (b"1e999", reports.NEW, 400),
        ({"csp-report": []}, reports.OLD, 400),
        ([SENT_BY_CHROMIUM], reports.OLD, 400),
        ([1, None, {}, {"body": 3}], reports.NEW, 204),
        ([{"body": {"documentURL": 7, "blockedURL": "http://[", "lineNumber": True}}], reports.NEW, 204),
        ([{"body": {"documentURL": "//\ud800/\x00", "lineNumber": 10**400}}], reports.NEW, 204),
        (SENT_BY_FIREFOX, "application/json", 415),
        (SENT_BY_FIREFOX, "text/plain", 415),
        (b" " * (reports.LARGEST_REPORT + 1), reports.OLD, 413),
    ],
)
def test_a_report_that_is_none_is_refused_and_never_an_error_of_ours(page, content, content_type, status):
    assert send_report(page, content, content_type).status == status


def test_a_batch_of_reports_is_written_down_up_to_a_measure(page, caplog):
    assert send_report(page, [SENT_BY_CHROMIUM] * 20, reports.NEW).status == 204
    assert len(told(caplog)) == reports.MOST_REPORTS


def test_one_browser_cannot_fill_the_log(page):
    answers = [send_report(page, SENT_BY_FIREFOX).status for _ in range(31)]

    assert answers[-1] == 429


# What programs look for


def test_who_found_a_hole_is_told_whom_to_write_to(over_tls):
    answer = over_tls.get("/.well-known/security.txt", headers={"Host": "pay.example.com"})
    fields = dict(line.split(": ", 1) for line in answer.html.splitlines())

    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert fields["Contact"] == "mailto:security@pay.example.com"
    assert fields["Canonical"] == "https://pay.example.com/.well-known/security.txt"
    assert fields["Preferred-Languages"] == "en"
    expires = datetime.strptime(fields["Expires"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert 30 < (expires - utcnow()).days < 365


@pytest.mark.parametrize(
    ("contact", "right"),
    [
        ("mailto:holes@example.com", True), ("https://example.com/holes", True), ("holes@example.com", False),
        ("mailto:holes", False), ("http://example.com", False), ("https://example.com\nExpires: never", False),
    ],
)  # fmt: skip
def test_the_contact_is_an_address_that_programs_understand(environ, contact, right):
    chosen = {**environ, "SECURITY_CONTACT": contact}
    if right:
        assert load_settings(chosen).security_contact == contact
    else:
        with pytest.raises(ConfigError, match="SECURITY_CONTACT"):
            load_settings(chosen)


def test_password_managers_are_led_to_where_a_password_is_changed(page, customer, page_of):
    led = page.get("/.well-known/change-password")

    assert led.status == 303
    assert page_of(customer()).get(led.location).status == 200
    assert (
        page.get("/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200").status
        == 404
    )
