"""Secrets in client text: found by the name of their key and by their pattern, and masked.

Rule 1: a value is masked whole if its key names a secret; elsewhere each part of a text that looks like one is masked.
Rule 2: masked values are reported, so that no other text of a record repeats them.
Rule 3: a value that is nested too deep to be searched is masked.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from gateway.admission.json_walk import has_nodes
from gateway.admission.secret_texts import MASKED, Scrubber, hinted, masked_text

DEPTH: Final = 64

_KEY: Final = re.compile(
    r"pass$|passw(or)?d|passphrase|passcode|^pwd?$|secret|token|apikey|accesskey|secretkey|privatekey|signingkey"
    r"|encryptionkey|masterkey|sshkey|privkey|^auth$|authorization|credential|cookie|^sid$|session(id|key)$|signature"
    r"|^sig$|^otp$|totp|^pin$|^cvv2?$|^cvc$|bearer|^jwt$|connectionstring|^dsn$"
)
_COUNT: Final = re.compile(r"tokens(count|limit|used)?$|^token(count|limit)$|maxtoken")
"""`max_tokens` and similar keys hold a number of tokens, not a token."""
_KEY_HINTS: Final = (
    *("pass", "pw", "secret", "token", "key", "auth", "cred", "cookie", "sid", "session", "sig"),
    *("otp", "pin", "cv", "bearer", "jwt", "connection", "dsn"),
)
"""Words of which a key that names a secret holds at least one. In a long key they are cheaper to find than `_KEY`."""
_SHORT: Final = 64
"""Longest key whose kind is cached."""
_TEXTS: Final = frozenset({str, int, float})


def without_secrets(value: Any, found: list[str]) -> Any:
    """Return a JSON value with its secrets masked, or unchanged if it has none; add the secrets to `found`."""
    return _walk(value, found, DEPTH) if suspicious(value) else value


def suspicious(value: Any) -> bool:
    """Return whether a JSON value may hold a secret. The check is cheap, because most values hold none."""
    texts: list[str] = []
    return _telling((value,), texts, DEPTH + 1) or hinted("\n".join(texts))


def scrubbed(text: str, secrets: Scrubber | None = None) -> str:
    """Return a text without the parts that look like a secret, and without the `secrets` found elsewhere."""
    text = secrets.hide(text) if secrets else text
    return masked_text(text, []) if hinted(text) else text


def repeated(value: Any, secrets: Scrubber) -> Any:
    """Return a value without any of `secrets`, which its sender may have repeated under a harmless key."""
    kind = kind_of(value)
    if kind is str:
        return secrets.hide(value)
    if kind is dict:
        return {secrets.hide(key): repeated(inner, secrets) for key, inner in value.items()}
    if kind is list:
        return [repeated(inner, secrets) for inner in value]
    return MASKED if (kind is int or kind is float) and str(value) in secrets else value


def named_secrets(value: Any) -> tuple[str, ...]:
    """Return the values under the keys of secrets, in a value too large to be searched by pattern."""
    found: dict[str, None] = {}
    todo: list[Any] = [value]
    while todo:
        item = todo.pop()
        kind = kind_of(item)
        if kind is list:
            todo += item if has_nodes(item) else ()
        elif kind is dict and ("value" in item or _key_hinted("\0".join(item))):
            for key, inner in item.items():
                if _is_secret(key, inner) or (key == "value" and _names_a_secret(item)):
                    found.update(dict.fromkeys(_leaves(inner)))
                else:
                    todo.append(inner)
        elif kind is dict:
            todo += item.values()
    return tuple(found)


def kind_of(value: object) -> object:
    """Return the exact type of a JSON value, without narrowing it for the type checker."""
    return type(value)


def _walk(value: Any, found: list[str], room: int) -> Any:
    kind = kind_of(value)
    if kind is str:
        return masked_text(value, found)
    if kind is not dict and kind is not list:
        return value
    if not room:
        return _hidden(value, found)
    if kind is list:
        return [_walk(inner, found, room - 1) for inner in value]
    named = _names_a_secret(value)
    return {
        masked_text(key, found): _hidden(inner, found)
        if _is_secret(key, inner) or (named and key == "value")
        else _walk(inner, found, room - 1)
        for key, inner in value.items()
    }


def _names_a_secret(pair: Mapping[str, Any]) -> bool:
    """Return whether an object such as `{"name": "Authorization", "value": ...}` names a secret."""
    if "value" not in pair:
        return False
    name = pair.get("name", pair.get("key"))
    return isinstance(name, str) and _is_secret(name, pair["value"])


def _is_secret(key: str, value: Any) -> bool:
    """Return whether the value under `key` is a secret; a boolean and null hold none."""
    if value is None or isinstance(value, bool):
        return False
    named = _judged(key) if len(key) <= _SHORT else _judge(key)
    return named == "secret" or (named == "count" and not isinstance(value, int | float))


def _judge(key: str) -> str:
    """Return the kind of a key: a `secret`, a `count` of tokens, or something `else`."""
    if not _key_hinted(key) or not _KEY.search(plain := _plain(key)):
        return "else"
    return "count" if _COUNT.search(plain) else "secret"


_judged: Final = lru_cache(maxsize=4096)(_judge)


def _key_hinted(keys: str) -> bool:
    """Return whether a key, or one of several joined, may name a secret."""
    plain = _plain(keys)
    return any(hint in plain for hint in _KEY_HINTS)


def _plain(key: str) -> str:
    return key.lower().replace("-", "").replace("_", "").replace(".", "").replace(" ", "")


def _hidden(value: Any, found: list[str]) -> str:
    """Return the mask for a whole value, and report every text and number in it."""
    found.extend(_leaves(value) or [MASKED])
    return MASKED


def _leaves(value: Any) -> list[str]:
    """Return the texts and numbers in a value, without recursion because it may be deep."""
    leaves: list[str] = []
    todo: list[Any] = [value]
    while todo:
        item = todo.pop()
        kind = kind_of(item)
        if kind is dict or kind is list:
            values = item.values() if kind is dict else item
            kinds = set(map(type, values))
            if kinds <= _TEXTS:
                leaves += map(str, values)
            else:
                todo += values
        elif item is not None and not isinstance(item, bool):
            leaves.append(str(item))
    return leaves


def _telling(node: Any, texts: list[str], room: int) -> bool:
    """Return whether a key names a secret, or the value is too deep to search; add texts still to search to `texts`."""
    if not room:
        return True
    values = node
    if kind_of(node) is dict:
        if "value" in node and _names_a_secret(node):
            return True
        for key, inner in node.items():
            if _is_secret(key, inner):
                return True
        texts.extend(node)
        values = node.values()
    for inner in values:
        if type(inner) is str:
            texts.append(inner)
        elif (type(inner) is dict or type(inner) is list or type(inner) is tuple) and _telling(inner, texts, room - 1):
            return True
    return False
