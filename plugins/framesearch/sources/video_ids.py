"""Ids of videos: stable across runs, unique across sites, safe as file names."""

import hashlib
import os
import re


def slug(name: str) -> str:
    """The name as far as it is safe in a file name or an object's name."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")[:60] or "video"


def digest(name: str) -> str:
    """Ten hexadecimal digits that tell names apart."""
    try:
        encoded = os.fsencode(name)
    except UnicodeEncodeError:  # surrogates that stand for no byte of a file's name
        encoded = name.encode("utf-8", "surrogatepass")
    return hashlib.sha256(encoded).hexdigest()[:10]
