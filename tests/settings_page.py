"""Write the table of all settings in docs/settings.md from the types: `make settings`."""

from pathlib import Path
from typing import Final

from gateway.settings import table

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
HEADING: Final = "## All settings\n\n"


def written(text: str) -> str:
    """Return the table that a page has."""
    return text.partition(HEADING)[2]


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(text.partition(HEADING)[0] + HEADING + table(), encoding="utf-8")
