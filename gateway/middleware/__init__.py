"""Checks of every HTTP request before its message is read: plain ASGI, one small class each.

Rule 1: a class that does nothing after the answer returns the awaitable of the next one, because each coroutine in the
chain is resumed whenever the request waits.
"""

from gateway.middleware.cors import CrossOrigin
from gateway.middleware.host_origin import AllowedHosts, HostAndOrigin
from gateway.middleware.proxies import Proxies
from gateway.middleware.reject import Notice, RejectedRequest
from gateway.middleware.request_ids import RequestIds, current
from gateway.middleware.size_limits import SizeLimits

__all__ = [
    "AllowedHosts",
    "CrossOrigin",
    "HostAndOrigin",
    "Notice",
    "Proxies",
    "RejectedRequest",
    "RequestIds",
    "SizeLimits",
    "current",
]
