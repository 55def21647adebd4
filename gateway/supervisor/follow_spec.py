"""Specification of one followed bundle: its URLs, its verification keys, and the checks before it is offered.

Rule 1: keys and the highest sequence number are read again for each check: files may change while the gateway runs.
"""

import time
from collections.abc import Callable, Sequence

from msgspec import Struct

from gateway.admission.policy_input import SCHEMA
from gateway.artifact.artifact import Artifact
from gateway.artifact.public_keys import KeyFile, verifying_key
from gateway.artifact.rejection import Rejected
from gateway.artifact.signature_checks import EnforcementContext, VerifyingKey
from gateway.artifact.stops_bundle import ENVIRONMENT
from gateway.follow.acceptance import POLICIES, STOPS, BundlePurpose, heedless, judged
from gateway.follow.bundle_polling import BundleService
from gateway.follow.follower import News
from gateway.journal.highest_policy_sequence import HighwaterFile
from gateway.settings import BundleKeySettings, BundleServiceSettings, Settings
from gateway.version import VERSION


class FollowSpec(Struct, frozen=True, kw_only=True):
    """One bundle to follow."""

    use: BundlePurpose
    path: str
    urls: tuple[str, ...]
    keys: tuple[BundleKeySettings, ...]
    level: str
    """Key under which its highest sequence number is stored."""
    kept: str
    """Name under which its last good bundle is stored."""
    tell: Callable[[News], None]


def service_of(settings: Settings, service: BundleServiceSettings, urls: Sequence[str]) -> BundleService:
    """Return the bundle service, with these of its URLs."""
    return BundleService(
        urls=tuple(urls), token_file=service.token_file, ca_file=service.ca_file, labels=settings.labels
    )


def keys_of(keys: Sequence[BundleKeySettings]) -> list[VerifyingKey]:
    """Return the keys in these files; raise OSError or ValueError if one is unusable."""
    return [verifying_key(KeyFile(file=key.file, keyid=key.keyid, algorithm=key.algorithm)) for key in keys]


def fit(settings: Settings, wanted: FollowSpec, content: bytes, seq: int) -> Artifact | Rejected:
    """Return the bundle if it may be offered, otherwise the rejection."""
    bundle = settings.policy.bundle
    try:
        highest = HighwaterFile(settings.journal.directory).seen(wanted.level)
    except OSError as error:
        return Rejected("policy_regressed", f"the highest enforced sequence number cannot be read: {error}")
    standing = EnforcementContext(
        environment=ENVIRONMENT if wanted.use is STOPS else settings.policy.environment,
        highest_seq=max(seq, highest),
        unix_ns=time.time_ns(),
        version=VERSION,
        input_schema=SCHEMA,
        grace_s=0 if bundle is None else bundle.not_after_grace_s,
    )
    try:
        artifact = judged(content, wanted.use, [key for each in wanted.keys for key in _readable(each)], standing)
    except (ValueError, TypeError, ArithmeticError, LookupError, RecursionError, MemoryError) as error:
        # Anyone may have made these bytes. An error in them must not end the following of later bundles.
        return Rejected("bundle_unreadable", f"it cannot be checked: {type(error).__name__}")
    wrong = heedless(artifact) if wanted.use is POLICIES and isinstance(artifact, Artifact) else None
    return wrong or artifact


def _readable(key: BundleKeySettings) -> list[VerifyingKey]:
    """Return the key in a list; an empty list if its file is no longer usable."""
    try:
        return keys_of([key])
    except (OSError, ValueError):
        return []
