"""Words can be read and controls can be seen, in both schemes: contrast by WCAG 2.2, computed from the tokens alone."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

TOKENS = Path(__file__).parents[2] / "static" / "css" / "tokens.css"

TEXT, CONTROL = 4.5, 3.0  # success criteria 1.4.3 and 1.4.11
GROUNDS = ("paper", "sheet", "accent-wash", "warn-wash", "danger-wash")
PAIRS = [
    *((words, ground, TEXT) for words in ("ink", "ink-soft") for ground in GROUNDS),
    *(
        (words, ground, TEXT)
        for words in ("accent", "credit", "warn", "danger")
        for ground in ("paper", "sheet")
    ),
    ("accent", "accent-wash", TEXT),
    ("credit", "accent-wash", TEXT),  # an amount in a row under the pointer
    ("warn", "accent-wash", TEXT),  # a waiting tag in a note
    ("warn", "warn-wash", TEXT),
    ("danger", "danger-wash", TEXT),
    ("on-accent", "accent", TEXT),
    ("on-accent", "accent-deep", TEXT),
    *((words, "spine", TEXT) for words in ("on-spine", "on-spine-soft")),
    *(("edge", ground, CONTROL) for ground in ("paper", "sheet", "accent-wash")),
]

Colour = tuple[float, float, float]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("house", [":root", ".simulation"])
@pytest.mark.parametrize(("front", "ground", "least"), PAIRS, ids=str)
def test_what_stands_on_a_ground_can_be_read(front, ground, least, house, scheme):
    tokens = tokens_of(house, scheme)

    assert contrast(tokens[front], tokens[ground]) >= least


def tokens_of(house: str, scheme: str) -> dict[str, Colour]:
    """Name → lightness, chroma and hue: the root's tokens, and over them those of that house."""
    css = re.sub(r"/\*.*?\*/", "", TOKENS.read_text(encoding="utf-8"), flags=re.DOTALL)
    rules = re.findall(r"(?:^|\n)(:root|\.simulation) \{(.*?)\n\}", css, flags=re.DOTALL)
    tokens: dict[str, Colour] = {}
    for selector, body in rules:
        if selector in (":root", house):
            for name, light, dark in re.findall(
                r"--([\w-]+): light-dark\(oklch\(([^)]*)\), oklch\(([^)]*)\)\)", body
            ):
                tokens[name] = parsed(light if scheme == "light" else dark)
    return tokens


def parsed(oklch: str) -> Colour:
    lightness, chroma, hue = oklch.split()
    return float(lightness.rstrip("%")) / 100, float(chroma), math.radians(float(hue))


def contrast(one: Colour, other: Colour) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: Colour) -> float:
    red, green, blue = (min(max(part, 0.0), 1.0) for part in linear_rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def linear_rgb(colour: Colour) -> Colour:
    """OKLCH to linear sRGB, by Björn Ottosson's matrices."""
    lightness, chroma, hue = colour
    a, b = chroma * math.cos(hue), chroma * math.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
