"""Texts that are more than text to whatever reads them without care: spreadsheets, browsers, template engines.

`inert_cell` judges a cell of a CSV file; every export with such cells is to be asked.
"""

FORMULAS = (
    "=1+1",
    "=HYPERLINK(0)",
    "+1+1",
    "-1+1",
    "@SUM(1)",
    "=cmd|' /C calc'!A0",
    '","=1+1',
    "\uff1d1+1",
    " =1+1",
)
# Each would make an element, an attribute or an address by the name of MARK.
MARK = "xcanary"
MARKUP = (
    f"<{MARK}>",
    f'"><{MARK} a="',
    f"'><{MARK} a='",
    f"</textarea><{MARK}>",
    f"</title></script></style><{MARK}>",
    f'" on{MARK}="1',
    f"' on{MARK}='1",
    f"--><{MARK}>",
    f"]]><{MARK}>",
    f"&lt;{MARK}&gt;",
    f"\u201c><{MARK}>",
    f"javascript:{MARK}()",
)
TEMPLATES = ("{{ 31337|add:11 }}", "{% widthratio 31348 1 1 %}", "${31337+11}", "#{31337+11}", "%(31348)s{0}")
EVALUATED = "31348"
INJECTIONS = (*FORMULAS, *MARKUP, *TEMPLATES)

_STARTS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"


def inert_cell(cell: str) -> bool:
    """Whether a spreadsheet takes the cell for text (OWASP, CSV Injection)."""
    return not cell.lstrip(" ").startswith(tuple(_STARTS))
