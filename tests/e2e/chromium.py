"""The browser the tests drive: Debian's. Nothing is downloaded."""

from pathlib import Path

CHROMIUM = Path("/usr/bin/chromium")
