"""The hub's settings: one YAML file, read completely, or all its errors, with file and line.

Rule 1: no secret has a default. The file contains only digests of tokens, and keys are named by their files.
Rule 2: a setting that would send tokens unencrypted over the network, or serve unsigned bundles, is an error.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, Struct, field

from gateway.artifact.manifest import moment_of
from gateway.artifact.public_keys import KeyFile, verifying_key
from gateway.artifact.signature_checks import Algorithm, VerifyingKey
from gateway.artifact.signing import SigningKey, read_key
from gateway.hub.bearer_tokens import Role, TokenHolder
from gateway.settings import SettingOrigin, SettingProblem, SettingProblems, TlsSettings
from gateway.settings.cross_checks import SettingConflict, loopback
from gateway.settings.setting_sources import WrittenSetting, read_file
from gateway.settings.typed_reader import SettingsReader

State = tuple[tuple[int, ...] | None, ...]
Port = Annotated[int, Meta(ge=0, le=65535)]
_UTC: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


class HubListen(Struct, frozen=True, kw_only=True):
    """The address on which gateways, publishers and responders connect."""

    host: Annotated[str, Meta(min_length=1, description="Address of the hub.")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Port of the hub; 0 selects a free one.")] = 8950
    tls: Annotated[TlsSettings | None, Meta(description="Certificate of the hub, reloaded when its files change.")] = (
        None
    )
    plaintext: Annotated[bool, Meta(description="Accept tokens over unencrypted HTTP from other machines.")] = False
    most_waiting: Annotated[int, Meta(ge=1, le=100_000, description="Maximum concurrent long polls.")] = 5_000


class Key(Struct, frozen=True, kw_only=True):
    """A public key that may sign policy bundles; two may be valid at once."""

    file: Annotated[Path, Meta(description="PEM file of the public key.")]
    keyid: Annotated[str, Meta(description="Its id in signatures; empty: the id that `hub key` printed.")] = ""
    algorithm: Annotated[Algorithm, Meta(description="Its signature algorithm.")] = "ES256"


class HubToken(Struct, frozen=True, kw_only=True):
    """A token of a caller of the hub; `mcp-admission hub token` creates such an entry."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._@-]{0,62}$", description="Its holder, as in the journals.")]
    roles: Annotated[
        tuple[Role, ...], Meta(min_length=1, description="One or more of publisher, responder, gateway, reader.")
    ]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the token, from `hub token`.")]
    gateways: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^(?:[^*]{1,128}|[^*]{0,127}\*)$")], ...],
        Meta(description="Names that gateways may report as with it, such as `eu-*`; none: its own, and `<name>-*`."),
    ] = ()

    expires: Annotated[
        str | None,
        Meta(description="End of validity, such as 2027-11-28T00:00:00Z; none: never. Set by `hub token --days`."),
    ] = None

    @property
    def caller(self) -> TokenHolder:
        """The holder of the token; `_clashes` has checked that `expires` is a time."""
        return TokenHolder(
            name=self.name,
            roles=self.roles,
            sha256=self.sha256,
            gateways=self.gateways,
            expires=self.expires or "",
            expires_unix_ns=moment_of(self.expires or "") or 0,
        )


class File(Struct, frozen=True, kw_only=True):
    """The file's content, before the keys that it names are read."""

    directory: Annotated[Path, Meta(description="Directory of artifacts, channels, journals and stops.")]
    tokens: Annotated[tuple[HubToken, ...], Meta(description="Tokens of the callers.")]
    keys: Annotated[tuple[Key, ...], Meta(description="Public keys that may sign policy bundles.")] = ()
    emergency_key: Annotated[
        Path | None, Meta(description="PEM file of the private key that signs stops; none: stops are refused.")
    ] = None
    listen: HubListen = field(default_factory=HubListen)


class HubSettings(Struct, frozen=True, kw_only=True):
    """Complete settings, with the keys read."""

    files: tuple[Path, ...]
    """The settings file, and the key files that it names."""
    state: State
    """The state of the files from before they were read."""

    directory: Path
    listen: HubListen
    callers: tuple[TokenHolder, ...]
    keys: tuple[VerifyingKey, ...]
    emergency_key: SigningKey | None


def state_of(files: Sequence[Path]) -> State:
    """Return a value that changes when one of the files changes."""
    return tuple(_state(path) for path in files)


def _state(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_mode)


def load(path: Path) -> HubSettings | SettingProblems:
    """Return the settings of a file, or all its errors."""
    state = state_of([path])
    written, problems = read_file(path)
    reader = SettingsReader(path.parent.absolute())
    found = reader.read(File, written)
    problems = [*problems, *reader.problems]
    if found is None or problems:
        return SettingProblems(tuple(problems))
    named = [key.file for key in found.keys] + ([found.emergency_key] if found.emergency_key else [])
    state += state_of(named)
    keys = [_verifying(number, key) for number, key in enumerate(found.keys)]
    emergency = _signing(found.emergency_key)
    clashes = [each for each in (*keys, emergency) if isinstance(each, SettingConflict)]
    clashes += _clashes(found)
    if clashes or isinstance(emergency, SettingConflict):
        return SettingProblems(tuple(_problem(clash, written) for clash in clashes))
    return HubSettings(
        files=(path, *named),
        state=state,
        directory=found.directory,
        listen=found.listen,
        callers=tuple(each.caller for each in found.tokens),
        keys=tuple(key for key in keys if isinstance(key, VerifyingKey)),
        emergency_key=emergency,
    )


def _clashes(found: File) -> Iterator[SettingConflict]:
    listen = found.listen
    if not (loopback(listen.host) or listen.tls or listen.plaintext):
        remedy = "Set `listen.tls`, or set `listen.plaintext` if a proxy terminates TLS."
        yield SettingConflict("listen.host", "tokens would cross the network unencrypted", remedy)
    if not found.keys:
        remedy = "Name at least one PEM file of a public key. Otherwise any uploader could decide the policy."
        yield SettingConflict("keys", "is missing: no bundle could be accepted", remedy)
    for name in ("name", "sha256"):
        said = [getattr(token, name) for token in found.tokens]
        for number, value in enumerate(said):
            if value in said[:number]:
                yield SettingConflict(f"tokens[{number}].{name}", f"`{value}` appears twice", "Keep one of them.")
    for number, token in enumerate(found.tokens):
        if token.expires is not None and not (_UTC.fullmatch(token.expires) and moment_of(token.expires)):
            remedy = "Write it like 2027-11-28T00:00:00Z, or omit it for a token that never expires."
            yield SettingConflict(f"tokens[{number}].expires", f"`{token.expires}` is not a time in UTC", remedy)
        if token.gateways and "gateway" not in token.roles:
            remedy = "Remove them, or give it the role `gateway`."
            message = "lists gateways, but the token lacks the role `gateway`"
            yield SettingConflict(f"tokens[{number}].gateways", message, remedy)


def _verifying(number: int, key: Key) -> VerifyingKey | SettingConflict:
    place = f"keys[{number}].file"
    try:
        return verifying_key(KeyFile(file=key.file, keyid=key.keyid, algorithm=key.algorithm))
    except OSError as error:
        return SettingConflict(
            place, f"{key.file} cannot be read: {error.strerror}", "Write the public key there, in PEM."
        )
    except ValueError as error:
        remedy = "OPA verifies ES*, RS* and PS* only, not EdDSA: use an EC key on curve P-256 with ES256."
        return SettingConflict(place, str(error), remedy)


def _signing(file: Path | None) -> SigningKey | SettingConflict | None:
    try:
        return None if file is None else read_key(file.read_bytes())
    except OSError as error:
        reason = f"{file} cannot be read: {error.strerror}"
    except (ValueError, TypeError) as error:
        reason = f"{file} is not a valid signing key: {error}"
    return SettingConflict("emergency_key", reason, "Make one with `mcp-admission hub key FILE`.")


def _problem(clash: SettingConflict, written: WrittenSetting) -> SettingProblem:
    """Return the conflict, located at the nearest place in the file."""
    place = written.place
    for part in clash.key.replace("[", ".").replace("]", "").split("."):
        entries = written.mapping
        if entries is not None and part in entries:
            written = entries[part]
        elif written.sequence is not None and part.isdecimal():
            written = written.sequence[int(part)]
        else:
            break
        place = written.place
    return SettingProblem(SettingOrigin(place.source, place.line), clash.key, clash.message, clash.remedy)
