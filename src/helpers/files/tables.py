"""Tables as spreadsheets leave them."""

_FORMULA = tuple("=+-@\t\r\n'")  # how a formula begins in a spreadsheet; and the mark against it


def marked(text: str) -> str:
    """The text with a mark in front if a spreadsheet would take it for a formula; `unmarked` takes that away."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def unmarked(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text
