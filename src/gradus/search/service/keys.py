"""Keys: who may do what. The file holds their digests, never the keys.

    {"shop": {"digest": "9f…", "scopes": ["search", "feedback"]}}

A key is 256 random bits. Guessing one is hopeless however fast a digest is computed, so a plain BLAKE2b takes the
place of a slow password hash, which would cost every request more than its search.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradus.errors import SearchError
from gradus.files import atomic_file

SCOPES = ("search", "feedback", "judge", "admin")
"""What a key may be good for: searching and reading documents; sending events; grades and votes of experts; swapping
versions and metrics."""

_PERSON = b"gradus key"


@dataclass(frozen=True)
class Key:
    """A key as the service knows it.

    Attributes:
        name: Whose it is.
        digest: Of the key, in hexadecimal.
        scopes: What it is good for.
    """

    name: str
    digest: str
    scopes: frozenset[str]


class Keys:
    """The keys of a service.

    Args:
        keys: All of them; none lets everybody do everything.
    """

    def __init__(self, keys: Sequence[Key] = ()) -> None:
        self._keys = tuple(keys)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def find(self, presented: str) -> Key | None:
        """The key that was presented, or `None`; the time it takes does not tell how nearly one was met."""
        digest = _digest(presented)
        found = None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found


def read_keys(path: Path) -> Keys:
    """Read a file of keys.

    Raises:
        SearchError: No such file, or not one of keys; or it holds none.
    """
    keys = Keys([Key(name, k["digest"], frozenset(k["scopes"])) for name, k in _read(path).items()])
    if not keys:
        raise SearchError(f"{path} holds no key; make one with: gradus key NAME")
    return keys


def add_key(path: Path, name: str, scopes: Sequence[str]) -> str:
    """Make a key, write its digest to a file beside those there are, and return it: it cannot be read again.

    A key of the same name is replaced.

    Raises:
        SearchError: An unknown scope, no name, or a file that does not hold keys.
    """
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        given = repr(unknown[0]) if unknown else "not given"
        raise SearchError(f"the scope is {given}; choose of {', '.join(SCOPES)}")
    if not name.strip():
        raise SearchError("a key needs a name, so that it can be told apart and replaced")
    known = _read(path) if path.exists() else {}
    secret = secrets.token_urlsafe(32)
    known[name] = {"digest": _digest(secret), "scopes": sorted(set(scopes))}
    with atomic_file(path) as aside:
        aside.write_text(json.dumps(known, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    path.chmod(0o600)
    return secret


def _digest(secret: str) -> str:
    return hashlib.blake2b(secret.encode("utf-8", "replace"), digest_size=32, person=_PERSON).hexdigest()


def _read(path: Path) -> dict[str, Any]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        for key in known.values():
            if not isinstance(key["digest"], str) or not set(key["scopes"]) <= set(SCOPES):
                raise ValueError
    except FileNotFoundError:
        raise SearchError(f"no file {path} (service.keys); make one with: gradus key NAME") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SearchError(f"{path} does not hold keys as `gradus key` writes them") from None
    return dict(known)
