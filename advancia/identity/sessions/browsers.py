"""What a browser says of itself, in words. It may say anything: good enough to know one's own devices by, no more."""

from __future__ import annotations

UNKNOWN = "An unknown browser"

# The first that is found counts: most name the ones that they descend from as well.
_BROWSERS = (
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("DuckDuckGo/", "DuckDuckGo"),
    ("Ddg/", "DuckDuckGo"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Chrome without a window"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
    ("python-httpx/", "A Python program"),
    ("python-requests/", "A Python program"),
    ("Werkzeug/", "A Python program"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)


def in_words(user_agent: str | None) -> str:
    """`Firefox on Windows`, `Chrome on Android`, `An unknown browser`."""
    said = user_agent or ""
    browser = next((name for mark, name in _BROWSERS if mark in said), None)
    system = next((name for mark, name in _SYSTEMS if mark in said), None)
    if browser is None:
        return f"{UNKNOWN} on {system}" if system else UNKNOWN
    return f"{browser} on {system}" if system else browser


def is_handheld(user_agent: str | None) -> bool:
    """Whether it says that it is a telephone or a tablet."""
    return any(mark in (user_agent or "") for mark in ("iPhone", "iPad", "Android", "Mobile"))
