"""The loopback endpoint that the managed OPA is fed from: the policy and the stops, each under a key of its own.

Rule 1: whatever is offered here was judged before; OPA verifies it once more, by keys that end with this process.
"""

import asyncio
from typing import Final

from gateway.artifact.artifact import Artifact
from gateway.artifact.signing import SigningKey, ephemeral_key
from gateway.follow.acceptance import POLICIES, STOPS, offered
from gateway.follow.bundle_endpoint import EMERGENCY_RESOURCE, BundleEndpoint, Offer
from gateway.follow.bundle_listener import BundleServiceAddress
from gateway.opa.configuration import BundleSource, EmergencySource
from gateway.supervisor.definition_changes import RevisionFiles


class BundleServer:
    """What OPA is offered."""

    def __init__(self, endpoint: BundleEndpoint, address: BundleServiceAddress) -> None:
        """Take the endpoint while it can be reached."""
        self.endpoint: Final = endpoint
        self.policy_key: Final[SigningKey] = ephemeral_key()
        self.stops_key: Final[SigningKey] = ephemeral_key()
        self.files: Final = RevisionFiles()
        """What the last policies say of reviewed definitions."""
        self.stopped: Final = asyncio.Event()
        """Set once there is a document of stops: without one OPA decides nothing."""
        self._address: Final = address

    @property
    def source(self) -> BundleSource:
        """Return what OPA is started with."""
        return BundleSource(
            url=self._address.url,
            resource=self._address.resource,
            token=self._address.token,
            keyid=self.policy_key.keyid,
            public_key=self.policy_key.public_pem,
            emergency=EmergencySource(
                resource=self._address.emergency,
                keyid=self.stops_key.keyid,
                public_key=self.stops_key.public_pem,
            ),
        )

    def policy(self, artifact: Artifact) -> None:
        """Offer a policy that was judged."""
        self.files.take(artifact.revision, artifact.files)
        self.endpoint.put(offered(artifact, POLICIES, self.policy_key))

    def stops(self, document: Artifact | Offer) -> None:
        """Offer stops: a hub's as they were judged, or ours, already signed."""
        offer = document if isinstance(document, Offer) else offered(document, STOPS, self.stops_key)
        self.endpoint.put(offer, EMERGENCY_RESOURCE)
        self.stopped.set()
