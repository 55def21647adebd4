"""Index the agents by JWT identity (`data.index.identities`): issuer -> fields of the identity -> agent.

Rule 1: an identity with one field is in the table of that field: `subject`, `client_id` or `group`.
Rule 2: an identity with several is in `combined`: subject -> client id -> group, with the empty text for absent fields.
Rule 3: every issuer has all four tables, so a missing table means damage.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.artifact.json_narrowing import Json

FIELDS: Final = ("subject", "client_id", "group")
"""The fields of an identity in addition to its issuer, in order of precedence."""
COMBINED: Final = "combined"


def identity_index(agents: Mapping[str, Json]) -> Json:
    """Return the index of the identities of agents."""
    index: Json = {}
    for name, entry in agents.items():
        for identity in entry.get("identities", []):
            tables = index.setdefault(identity["issuer"], {field: {} for field in (*FIELDS, COMBINED)})
            stated = [field for field in FIELDS if field in identity]
            if len(stated) == 1:
                tables[stated[0]][identity[stated[0]]] = name
            else:
                subject, client_id, group = (identity.get(field, "") for field in FIELDS)
                tables[COMBINED].setdefault(subject, {}).setdefault(client_id, {})[group] = name
    return index


def indexed_identities(index: Mapping[str, Any]) -> Iterator[tuple[str, Json]]:
    """Yield each agent id with an identity that leads to it; an index of an older build has no `combined`."""
    for issuer, tables in index.items():
        for field in FIELDS:
            for text, agent in tables.get(field, {}).items():
                yield agent, {"issuer": issuer, field: text}
        for subject, of_subject in tables.get(COMBINED, {}).items():
            for client_id, of_client in of_subject.items():
                for group, agent in of_client.items():
                    stated = zip(FIELDS, (subject, client_id, group), strict=True)
                    yield agent, {"issuer": issuer, **{field: text for field, text in stated if text}}
