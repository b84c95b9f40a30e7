"""Connectors, their configuration, and the one way out."""

import os

# libcurl looks for it once, when pycurl is imported, and would write every session's TLS keys into the file it names.
os.environ.pop("SSLKEYLOGFILE", None)
