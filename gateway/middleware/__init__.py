"""What every HTTP request must be before anyone looks at its message: plain ASGI, one small class each.

Rule 1: a class that does nothing after the answer returns the awaitable of the next one, because each coroutine in the
chain is resumed whenever the request waits.
"""

from gateway.middleware.cors import CrossOrigin
from gateway.middleware.host_origin import HostAndOrigin, Names
from gateway.middleware.proxies import Proxies
from gateway.middleware.reject import Notice, TurnedAway
from gateway.middleware.request_ids import RequestIds, current
from gateway.middleware.size_limits import Sizes

__all__ = ["CrossOrigin", "HostAndOrigin", "Names", "Notice", "Proxies", "RequestIds", "Sizes", "TurnedAway", "current"]
