"""The definitions of tools, prompts and resources that upstreams presented in their lists.

Rule 1: only an unfiltered list of an upstream counts. A target that was not seen, or was seen in two ways at once, has
no definition.
Rule 2: memory is limited: equal definitions are stored once, unused views are dropped, and every view ages.
Rule 3: a forgotten list is read again. This cache is never the only copy.
"""

from gateway.definitions.cache import CacheBounds, DefinitionCache

__all__ = ["CacheBounds", "DefinitionCache"]
