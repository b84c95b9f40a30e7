"""A connector's address, completed."""


def with_path(url: str, path: str) -> str:
    """The url with this path where it has none of its own; one that has a path or a query is kept as it is."""
    host, _, rest = url.partition("://")[2].partition("/")
    return url if rest or "?" in host else f"{url.rstrip('/')}{path}"
