"""What code of ours does not do, because each time it would have to be right: no exception without a reason here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from advancia.config import ROOT

CODE = [path for room in ("advancia", "worker") for path in sorted((ROOT / room).rglob("*.py"))]
TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*.*") if path.is_file())
SCRIPTS = sorted((ROOT / "static" / "js").glob("*.js"))
KNOWS_NO_PAGES = re.compile(r"/(services|queries|models|jobs)(/|\.py)|^worker/")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def found(matches) -> Iterator[str]:
    for path in CODE:
        name = str(path.relative_to(ROOT))
        for node in ast.walk(tree(path)):
            if matches(node, name):
                yield f"{name}:{getattr(node, 'lineno', 0)}"


def calls(node: ast.AST, *names: str) -> bool:
    """Whether the node calls something by one of these names, as `name(…)` or `anything.name(…)`."""
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    return (function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")) in names


def is_of(node: ast.AST, owner: str, *names: str) -> bool:
    """Whether the node reads `owner.name`."""
    return isinstance(node, ast.Attribute) and node.attr in names and getattr(node.value, "id", "") == owner


def is_composed(node: ast.expr) -> bool:
    """Whether a text is put together where it stands, of other things than constants beside it."""
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in node.values)
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Mod) or is_composed(node.left) or is_composed(node.right)
    return calls(node, "format", "join", "replace")


def in_files(where: list[str], allowed: dict[str, str]) -> list[str]:
    return [each for each in where if not each.startswith(tuple(allowed))]


def test_markup_is_made_in_one_place():
    allowed = {
        "advancia/identity/factors/views/apps.py": "the QR code, an SVG that the library draws of our own text"
    }

    assert in_files(list(found(lambda node, _: calls(node, "Markup"))), allowed) == []


def test_nothing_is_rendered_from_a_text_of_the_moment():
    assert list(found(lambda node, _: calls(node, "render_template_string", "from_string"))) == []


def test_sql_is_composed_of_constants_alone():
    allowed = {
        "advancia/ledger/": "names of columns and clauses out of constants of its own; every value is bound",
        "advancia/ops/secrets/": "names of tables and columns out of the models",
        "advancia/reconciliation/matching_sql.py": "a set of pairs, out of constants, that several statements use",
        "advancia/providers/sandbox/store.py": "the simulation's own file, out of constants",
    }
    composed = found(
        lambda node, _: (
            calls(node, "text", "execute", "executemany") and node.args and is_composed(node.args[0])
        )
    )

    assert in_files(list(composed), allowed) == []


def test_what_was_typed_is_read_through_forms():
    allowed = {
        "advancia/web/": "the page kit",
        "advancia/webhooks/": "the raw body, which is signed",
        "advancia/providers/sandbox/": "the simulation, which is a provider and no page of ours",
        "advancia/identity/factors/views/confirm.py": "where to go afterwards, which stands in the address too",
        "advancia/identity/factors/views/proving.py": "by which factor, one of those that there are",
        "advancia/identity/factors/views/recovery_codes.py": "codes that it compares with their hashes",
        "advancia/identity/recovery/password_views.py": "the meter, which keeps nothing",
    }
    read = found(
        lambda node, _: is_of(
            node, "request", "form", "files", "values", "json", "data", "get_json", "get_data", "stream"
        )
    )

    assert in_files(list(read), allowed) == []


def test_services_know_no_visitor_and_no_request():
    def knows(node, name):
        if not isinstance(node, ast.ImportFrom) or not KNOWS_NO_PAGES.search(name):
            return False
        module = f"{node.module}."
        of_flask = (
            {each.name for each in node.names} & {"request", "session", "g"}
            if node.module == "flask"
            else set()
        )
        return bool(of_flask) or module.startswith(("flask_login.", "flask_wtf.", "advancia.web."))

    assert list(found(knows)) == []


def test_cookies_are_set_in_few_places():
    allowed = {
        "advancia/web/typed.py": "what was typed; with all attributes",
        "advancia/identity/visitor.py": "the browser's own name; with all attributes",
    }

    assert in_files(list(found(lambda node, _: calls(node, "set_cookie"))), allowed) == []


def test_a_route_leads_on_through_the_page_kit_alone():
    allowed = {
        "advancia/web/htmx.py": "the one place",
        "advancia/web/well_known.py": "to a page of ours by its name",
        "advancia/providers/sandbox/": "no page of ours",
    }

    assert in_files(list(found(lambda node, _: calls(node, "redirect"))), allowed) == []


def test_no_text_is_run():
    run = found(
        lambda node, _: (
            isinstance(node, ast.Call)
            and (
                getattr(node.func, "id", "") in ("eval", "exec", "compile", "__import__")
                or is_of(node.func, "os", "system", "popen")
            )
        )
    )

    assert list(run) == []
    unsafe = {"pickle", "marshal", "shelve", "dill", "yaml", "telnetlib", "ftplib", "xml.etree.ElementTree"}
    imported = found(
        lambda node, _: isinstance(node, ast.Import) and {each.name for each in node.names} & unsafe
    )
    assert list(imported) == []


def test_no_shell_is_started():
    def with_shell(node, _name):
        return isinstance(node, ast.keyword) and node.arg == "shell" and getattr(node.value, "value", False)

    assert [
        f"{path}:{node.lineno}" for path in CODE for node in ast.walk(tree(path)) if with_shell(node, "")
    ] == []


def test_chance_is_drawn_from_secrets():
    allowed = {"advancia/providers/sandbox/": "the simulation's delays"}
    drawn = found(
        lambda node, _: isinstance(node, ast.Import | ast.ImportFrom) and "random" in names_of(node)
    )

    assert in_files(list(drawn), allowed) == []


def test_weak_hashes_stand_where_a_provider_asks_for_them():
    allowed = {
        "advancia/providers/cryptomus": "its signatures are MD5, which is its choice",
        "advancia/ops/backups/stores/s3.py": "S3 asks for it with each part; what is stored is proven by its SHA-256",
    }

    assert (
        in_files(
            list(found(lambda node, _: isinstance(node, ast.Attribute) and node.attr in ("md5", "sha1"))),
            allowed,
        )
        == []
    )


def test_tls_is_checked_and_nobody_is_waited_for_without_end():
    def careless(node, _name):
        return (
            isinstance(node, ast.keyword)
            and node.arg in ("verify", "check_hostname", "timeout")
            and isinstance(node.value, ast.Constant)
            and node.value.value in (False, None)
        )

    assert [
        f"{path}:{node.lineno}" for path in CODE for node in ast.walk(tree(path)) if careless(node, "")
    ] == []


SECRET = re.compile(r"(signature|digest|token_hash|code_hash|\bmac|hmac)$")


def test_what_proves_something_is_compared_in_constant_time():
    """Python's `==` stops at the first difference. The database is asked for a hash, which tells nothing."""

    def compared(node, name):
        return (
            isinstance(node, ast.Compare)
            and isinstance(node.ops[0], ast.Eq | ast.NotEq)
            and isinstance(node.left, ast.Name)
            and SECRET.search(node.left.id)
        )

    assert list(found(compared)) == []


def test_a_template_never_leaves_out_the_escaping():
    guilty = [
        str(path.relative_to(ROOT))
        for path in TEMPLATES
        if re.search(r"\|\s*safe\b|autoescape\s+false|Markup|\{%-?\s*autoescape", path.read_text())
    ]

    assert guilty == []


def test_every_form_that_posts_holds_a_token():
    without = [
        f"{path.relative_to(ROOT)}: {form[:60]}"
        for path in TEMPLATES
        if not {"sandbox", "emails"} & set(path.parts)
        for form in re.findall(r"<form(?:(?!</form>).)*?</form>", path.read_text(), re.S)
        if re.search(r'method="post"|posting\(', form) and not re.search(r"csrf_token|hidden_tag\(\)", form)
    ]

    assert without == []


def test_nobody_is_kept_from_pasting_or_from_a_keeper_of_passwords():
    hindering = r"""["']paste|onpaste|autocomplete=["']?off["']?[^>]*type=["']?password"""

    assert [path.name for path in (*SCRIPTS, *TEMPLATES) if re.search(hindering, path.read_text())] == []


def test_calls_to_others_follow_no_redirect():
    assert (
        list(
            found(
                lambda node, _: (
                    isinstance(node, ast.keyword) and node.arg in ("follow_redirects", "allow_redirects")
                )
            )
        )
        == []
    )


def test_scripts_of_ours_put_no_markup_into_the_page_and_keep_nothing_about_a_person():
    markup = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
    kept = {"staff.js": "whether the page's keys are switched off"}

    assert [path.name for path in SCRIPTS if re.search(markup, path.read_text())] == []
    assert {path.name for path in SCRIPTS if re.search("(local|session)Storage", path.read_text())} <= set(
        kept
    )


def names_of(node: ast.Import | ast.ImportFrom) -> set[str]:
    return {each.name for each in node.names} if isinstance(node, ast.Import) else {node.module or ""}


@pytest.mark.parametrize(
    "code",
    [
        "text(f'select {name}')", "session.execute('select %s' % name)", "text('select ' + f'{x}')",
        "session.execute(text('a {}'.format(name)))",
    ],
)  # fmt: skip
def test_the_rule_about_sql_finds_what_it_is_for(code):
    assert any(
        calls(node, "text", "execute") and is_composed(node.args[0]) for node in ast.walk(ast.parse(code))
    )
