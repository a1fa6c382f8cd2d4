"""Who may ask what how often, from where."""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param

from gradus.search.service.keys import Keys
from gradus.search.service.problems import Problem

_MOST_BUCKETS = 20_000
"""Callers whose use is remembered; the ones seen longest ago are forgotten."""

_BEARER = HTTPBearer(auto_error=False, description="A key that `gradus key` made.")


def is_loopback(host: str) -> bool:
    """Whether an address can only be reached from this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class RateLimit:
    """A bucket of tokens for each caller: `burst` at once, `rate` more each second.

    Args:
        rate: Requests a second.
        burst: Requests at once.
        clock: Seconds, rising.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> None:
        """Take a token.

        Raises:
            Problem: There is none; the message says when to come back.
        """
        now = self._clock()
        tokens, since = self._buckets.get(caller, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        allowed = tokens >= 1
        self._buckets[caller] = (tokens - 1 if allowed else tokens, now)
        self._buckets.move_to_end(caller)
        if len(self._buckets) > _MOST_BUCKETS:
            self._buckets.popitem(last=False)
        if not allowed:
            wait = str(math.ceil((1 - tokens) / self._rate))
            raise Problem(429, "rate-limit", "too many requests; slow down", {"Retry-After": wait})


class Guard:
    """Lets requests through or not.

    Args:
        keys: The keys; where there are none, only this machine's own names are answered to, so that no web page
            can reach the service through a name that it points to this machine.
        limit: How often each key, or each address, may ask.
    """

    def __init__(self, keys: Keys, limit: RateLimit) -> None:
        self._keys = keys
        self._limit = limit

    def open(self) -> list[Any]:
        """The dependencies of a route that asks for no key, since it gives away nothing.

        One of them raises a Problem: 403, 421 and 429 as for `needs`.
        """

        async def check(request: Request) -> None:
            self._check_source(request)
            self._limit.take(_address(request))

        return [Depends(check)]

    def needs(self, scope: str) -> list[Any]:
        """The dependencies of a route that is for a scope.

        One of them raises a Problem: 401 without a key that is known, 403 where it is not good for this or the request
        comes from a web page of another origin, 421 for a foreign host name, 429 above the rate.
        """

        async def check(request: Request) -> None:
            self._check_source(request)
            if not self._keys:
                self._limit.take(_address(request))
                return
            scheme, presented = get_authorization_scheme_param(request.headers.get("authorization"))
            key = self._keys.find(presented) if scheme.lower() == "bearer" and presented else None
            if key is None:
                self._limit.take(_address(request))  # guessing is limited, too
                raise Problem(
                    401, "no-key", "send a key: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"}
                )
            self._limit.take(f"key {key.name}")
            if scope not in key.scopes:
                raise Problem(403, "wrong-scope", f"this key is not good for {scope}")

        # The other only tells OpenAPI how keys are sent.
        return [Depends(check), *([Depends(_BEARER)] if self._keys else [])]

    def _check_source(self, request: Request) -> None:
        """Refuse what a web page of another origin, or of a name that was pointed here, makes a browser send."""
        origin = request.headers.get("origin")
        if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
            raise Problem(403, "foreign-origin", "web pages of other origins may not use this service")
        if not self._keys and not is_loopback(_host_name(request)):
            raise Problem(421, "foreign-host", "without keys, the service answers to localhost alone")


def _address(request: Request) -> str:
    """Where a request comes from, as a caller whose rate is limited."""
    return f"address {request.client.host if request.client else ''}"


def _host_name(request: Request) -> str:
    """The host that the request was sent to, without its port."""
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""
