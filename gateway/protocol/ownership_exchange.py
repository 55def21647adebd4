"""The question whether a principal owns the names in a message, and its answer, as workers exchange them.

Rule 1: names that are not held are not the principal's; a question without an answer has no owner.
"""

from typing import Literal

from msgspec import Struct

ClaimKind = Literal["request", "token", "task", "client_task", "server_request"]
"""An open request of the client, a progress token of an open server request, a task of the server, a task that the
client made for the server, an open server request."""


class Claim(Struct, frozen=True, kw_only=True):
    """The question whether `principal` holds these names on this server. Ids `1` and `"1"` are different names."""

    kind: ClaimKind
    server: str
    principal: str
    """`Principal.key`; for a server's request the digest that binds it, in hexadecimal."""
    names: tuple[str | int, ...]


class Held(Struct, frozen=True, kw_only=True):
    """For each name of a claim the text under which the client knows it, empty if the principal does not hold it."""

    texts: tuple[str, ...]
    shared: bool = False
    """True if another principal holds one of the names too, so that the server may mean either."""


def united(claim: Claim, answers: list[Held]) -> Held:
    """Return the names that several workers hold together."""
    texts = [""] * len(claim.names)
    for answer in answers:
        for index, text in enumerate(answer.texts[: len(texts)]):
            texts[index] = texts[index] or text
    return Held(texts=tuple(texts), shared=any(answer.shared for answer in answers))
