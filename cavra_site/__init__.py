"""The project's shell: environment, settings, addresses, processes and the `cavra` command."""

from cavra_site import sqlite

# Before Django's SQLite backend is imported, which binds `sqlite3` once and for all.
sqlite.prefer_newest_library()
