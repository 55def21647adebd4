"""How hypothesis runs here.

Rule 1: no deadlines: what a machine does besides the tests is not their subject.
"""

from hypothesis import settings

settings.register_profile("here", deadline=None)
settings.load_profile("here")
