"""Read the data of an artifact without OPA.

Rule 1: data are accepted only if they have the form that the build writes; nothing is filled in.
Rule 2: fields that a newer build adds are kept and ignored.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.artifact.artifact import Artifact
from gateway.artifact.json_narrowing import Json

DATA: Final = "data.json"


class _Rule(Struct):
    effect: str
    who: Json
    what: Json
    when: Json | None
    arguments: list[Json]
    mode: str | None
    reason: str
    owner: str
    expires: str | None


class _Server(Struct):
    url: str
    owner: str
    definition_drift: Json
    server_requests: list[str]


class _Targets(Struct):
    tools: dict[str, Json]
    prompts: dict[str, Json]
    resources: dict[str, Json]
    resource_prefixes: list[Json]
    tasks: Json | None


class _Catalog(Struct):
    servers: dict[str, _Server]
    targets: dict[str, _Targets]


class _Scope(Struct):
    servers: list[str]
    actions: list[str]


class _Agent(Struct):
    owner: str
    labels: list[str]
    scope: _Scope
    expires: str | None


class _Credential(Struct):
    agent: str
    holder: str
    expires: str | None


class _Identities(Struct):
    subject: dict[str, str]
    client_id: dict[str, str]
    group: dict[str, str]
    combined: dict[str, dict[str, dict[str, str]]] = {}


class _Index(Struct):
    credentials: dict[str, _Credential]
    identities: dict[str, _Identities]
    anonymous: str = ""


class _Data(Struct):
    environment: Json
    required: list[str]
    enforcement: dict[str, Json]
    catalog: _Catalog
    agents: dict[str, _Agent]
    rules: dict[str, _Rule]
    own: Json
    index: _Index
    requirements: dict[str, Json]


def data_of(artifact: Artifact) -> Json | None:
    """Return the data of a policy bundle; None if the artifact has no data in the form that the build writes."""
    try:
        data: Any = msgspec.json.decode(artifact.files.get(DATA, b""))
        msgspec.convert(data, _Data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return data
