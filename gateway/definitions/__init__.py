"""What upstreams present their tools, prompts and resources to be, as far as it was listed.

Rule 1: only what an upstream listed, unfiltered, is presented; what was not seen, or seen in two ways at once, is not.
Rule 2: memory is bounded: equal definitions are held once, views go when they are not looked at, everything ages.
Rule 3: what is forgotten is listed again; nothing here is ever the only copy.
"""

from gateway.definitions.cache import CacheBounds, DefinitionCache

__all__ = ["CacheBounds", "DefinitionCache"]
