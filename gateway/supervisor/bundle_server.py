"""The loopback endpoint that feeds the managed OPA: the policy and the stops, each signed with its own key.

Rule 1: each bundle was checked before it is offered here. OPA verifies it again, with keys that end with this process.
"""

import asyncio
from typing import Final

from gateway.artifact.artifact import Artifact
from gateway.artifact.signing import SigningKey, ephemeral_key
from gateway.follow.acceptance import POLICIES, STOPS, offered
from gateway.follow.bundle_endpoint import EMERGENCY_RESOURCE, BundleEndpoint, Offer
from gateway.follow.bundle_endpoint_server import BundleServiceAddress
from gateway.opa.configuration import BundleSource, EmergencySource
from gateway.supervisor.refused_definition_log import RevisionFiles


class BundleServer:
    """The bundles that OPA is offered."""

    def __init__(self, endpoint: BundleEndpoint, address: BundleServiceAddress) -> None:
        """Serve bundles through this endpoint."""
        self.endpoint: Final = endpoint
        self.policy_key: Final[SigningKey] = ephemeral_key()
        self.stops_key: Final[SigningKey] = ephemeral_key()
        self.files: Final = RevisionFiles()
        """The reviewed definitions in the last policies."""
        self.stopped: Final = asyncio.Event()
        """Set when there is a document of stops: without one, OPA makes no decisions."""
        self._address: Final = address

    @property
    def source(self) -> BundleSource:
        """The bundle source in OPA's configuration."""
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
        """Offer a policy that was checked."""
        self.files.take(artifact.revision, artifact.files)
        self.endpoint.put(offered(artifact, POLICIES, self.policy_key))

    def stops(self, document: Artifact | Offer) -> None:
        """Offer stops: a hub's document that was checked, or our own signed bundle."""
        offer = document if isinstance(document, Offer) else offered(document, STOPS, self.stops_key)
        self.endpoint.put(offer, EMERGENCY_RESOURCE)
        self.stopped.set()
