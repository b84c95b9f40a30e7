"""The fields of a receiver's answer, for the judges that need one of them."""

import json
from typing import Any


def fields_of(body: bytes) -> dict[str, Any]:
    """The JSON object that the body holds; empty where it holds none, or was cut off."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
