"""Values that break what is built without care. Our own list: short, and each with a reason to be on it.

`TAG`, `ATTRIBUTE` and `SUM` show in an answer if something was not escaped, or was evaluated.
"""

from __future__ import annotations

TAG = "naughty-tag"
ATTRIBUTE = "naughtyattribute"
HEADER = "X-Naughty"
SUM = str(7_919 * 6_007)

STRINGS = {
    "nothing": "",
    "white space": " \t\r\n\u00a0\u2003\u3000",
    "a NUL": "a\0b",
    "control characters": "\x01\x07\x08\x1b[31m\x7f\u0085\u2028\u2029",
    "a byte order mark": "\ufeffa\ufffe",
    "right to left": "\u202eevil\u202c\u2066\u200f",
    "of no width": "a\u200b\u200c\u200d\u2060b",
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈🇩🇪",
    "piled marks": "Z" + "\u0341\u035b\u0489" * 60,
    "beyond the first plane": "𐍈𝔘𠜎",
    "a tag": f"<{TAG}>&lt;</{TAG}><script>alert(1)</script>",
    "out of an attribute": f"\"' {ATTRIBUTE}=1 onfocus=alert(1) autofocus x=\"'",
    "out of everything": f"--></title></textarea></script><svg><{TAG} {ATTRIBUTE}='1'>",
    "a template": "{{ 7919 * 6007 }}${7919*6007}#{7919*6007}<%= 7919*6007 %>{% debug %}",
    "a format": "%s%n%d%(name)s{0}{name.__class__}",
    "SQL": "'; DROP TABLE users; --",
    "always true": "' OR '1'='1' /*",
    "LIKE": "%_\\%",
    "a header": f"a\r\n{HEADER}: 1\r\n\r\n<html>",
    "a header in another alphabet": f"a\u560d\u560a{HEADER}: 1",
    "a spreadsheet's formula": '=HYPERLINK("http://evil.example";A1)',
    "a way up": "../../../../../../etc/passwd",
    "a command": "$(touch /tmp/naughty)`id`|id;id&&id",
    "a script's address": "javascript:alert(1)",
    "another site": "//evil.example/\\evil.example",
    "very much": "9" * 400,
    "too much for a float": "1e400",
    "below nothing": "-99999999999999999999",
    "no number": "NaN",
    "without end": "-Infinity",
    "hexadecimal": "0x7fffffffffffffff",
    "just beyond an id": str(2**63),
    "figures of others": "١٢٣٫٤٥",  # noqa: RUF001 - they are meant
    "a fraction": "½",
    "exact to nothing": "0." + "0" * 200 + "1",
    "no date": "0000-00-00",
    "a date too late": "99999-12-31",
    "no UUID": "00000000-0000-0000-0000-00000000000g",
    "nobody's address": "a@" + "b." * 120 + "example",
    "two addresses": "a@test.example,b@test.example",
    "an address in a name": '"<b>" <a@test.example>\r\nBcc: b@test.example',
    "JSON": '{"id": "\\ud800\\u0000", "rawId": 1, "type": [], "response": {"clientDataJSON": "A"}}',
    "deep JSON": "[" * 5_000,
    "a pickle": "gASVJAAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAlpZCA+IC90bXCUhZRSlC4=",
    "long": "a" * 5_000,
    "nearly all that a form may hold": "é" * 10_000,
}

# As they stand in a body: no text of Python's can say them.
BYTES = {
    "half a character": b"\xc3",
    "half a pair": b"\xed\xa0\x80",
    "never a character": b"\xff\xfe\xfa",
    "longer than it need be": b"\xc0\xaf\xe0\x80\xaf",
}

A_MEGABYTE = "a" * 1_000_000
