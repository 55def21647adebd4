"""Contents of policy files that are not in order, for tests of what follows a broken save."""

from collections.abc import Sequence
from random import Random
from typing import Final

ODD: Final[Sequence[bytes]] = (
    *(b"", b"\0", b"\xff\xfe", b"[", b"rules: [\n", b"rules:\n\t- a\n", b"%YAML 9.9\n---\n{}", b"--- a\n--- b\n"),
    *(
        b"rules: &a [*a]\n",
        b"{rules: [], rules: []}",
        b"? [a]\n: b\n",
        b"<<: {a: 1}\n",
        b"!!binary x\n",
        b"!!set {a}\n",
    ),
    *(
        b'rules: "\\ud83d"\n',
        b'"\\ude00": 1\n',
        b'"\\U00110000"\n',
        b'"\\UFFFFFFFF": 1\n',
        b"rules: .nan\n",
        b"rules: -.inf\n",
    ),
    *(
        b"rules: 1e999\n",
        b"rules: " + b"9" * 5_000,
        b"rules: 0x" + b"f" * 99,
        b"[" * 2_000,
        b"- " * 2_000,
        b"rules: 2026-12-20\n",
    ),
    *(
        b"rules: [{rule: x, effect: deny, what: {tools: [1]}}]\n",
        b"rules: [{rule: 3, effect: [deny]}]\n",
        b"rules: null\n",
    ),
    *(
        b'rules: [{rule: "a\\0b", effect: deny, reason: x}]\n',
        b"rules: [{rule: x, effect: deny, arguments: [{path: /a, matches: '('}]}]\n",
    ),
)


def broken(chosen: Random) -> bytes:
    """Return one of these contents, maybe with some bytes more."""
    content = bytearray(chosen.choice(ODD))
    for _ in range(chosen.randint(0, 2)):
        content.insert(chosen.randint(0, len(content)), chosen.randrange(256))
    return bytes(content)
