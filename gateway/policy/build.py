"""Build the bundle of one environment, which the supervisor or CI publishes.

Rule 1: a bundle is valid only after a real OPA has loaded it and answered a question from it.
Rule 2: times and numbers are parameters. The same sources and parameters give the same unsigned bytes.
Rule 3: a refused build does not change anything and does not use a sequence number.
"""

import hashlib
import tempfile
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.artifact.json_narrowing import Json
from gateway.artifact.manifest import BundleMetadata, content_id, rfc3339
from gateway.artifact.pack import Packed, canonical, pack
from gateway.artifact.signing import SigningKey, ephemeral_key
from gateway.library import library
from gateway.policy.lowest_gateway import lowest_gateway
from gateway.policy.rego.missing_own_data import missing_own_data
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.rego.rego_verification import VerifiedRego, Verifier
from gateway.policy.rules.condition_hints import condition_hints
from gateway.policy.rules.cross_checks import CheckContext, contradictions
from gateway.policy.rules.data_classes import uncleared_agents
from gateway.policy.rules.names_used_in_rules import rule_names
from gateway.policy.rules.policy_data import bundle_data
from gateway.policy.rules.reviewed_words import carried_words, unreviewed_pins
from gateway.policy.rules.rule_reasons import ended_rules, rule_reasons
from gateway.policy.sequence import next_sequence
from gateway.policy.smoke_test import ARCHIVE, rehearsed
from gateway.policy.sources.environment import Environment, EnvironmentReader
from gateway.policy.sources.problem import Problem, Problems, refusal

_DAY_S: Final = 86_400


class PolicySource(Struct, frozen=True):
    """A policy repository (the directory with `rego/` and `bundles/`) and one of its environments."""

    directory: Path
    environment: str
    editing: bool = False
    """True for a directory that people are editing: temporary files of editors are ignored."""


class Built(Struct, frozen=True, kw_only=True):
    """A bundle that a real OPA has loaded; `etag` identifies its bytes, the key verifies them."""

    revision: str
    seq: int
    content_id: str
    content: bytes
    etag: str
    keyid: str
    public_key_pem: str
    warnings: tuple[Problem, ...] = ()


class BuildStamp(Struct, frozen=True, kw_only=True):
    """The metadata of an issued bundle: its sequence number, its times and its origin."""

    seq: int
    built: float
    """Unix seconds."""
    days: int | None = None
    """Days until gateways refuse the bundle; None means never, for development."""
    commit: str = ""
    author: str = ""


class Content(Struct, frozen=True, kw_only=True):
    """The checked content of a build: the files to pack and their sources."""

    environment: Environment
    policies: VerifiedRego
    data: Json
    files: dict[str, bytes]
    time: float
    """The time of the checks, Unix seconds."""
    warnings: tuple[Problem, ...] = ()
    """Problems that are reported but do not refuse the build."""

    @property
    def identity(self) -> str:
        """The content id of the revision."""
        return content_id(self.files)


class Builder:
    """An incremental builder, which repeats only the work that a change needs; for one thread at a time."""

    def __init__(self, state: Path, opa: Path, *, key: SigningKey | None = None, stock: Path | None = None) -> None:
        self.key = key or ephemeral_key()
        self._state = state
        self._opa = OpaCommand(opa)
        self._stock = stock or library()
        self._reader = EnvironmentReader()
        self._verifier = Verifier(self._opa, state)

    def content(self, source: PolicySource, time: float) -> Content | Problems:
        """Return the checked content at `time` (Unix seconds), or all of its problems."""
        policies = self._verifier.verified(source.directory, self._stock, editing=source.editing)
        environment = self._reader.read(source.directory, source.environment, editing=source.editing)
        problems = [*_found(policies), *_found(environment)]
        warnings: list[Problem] = []
        if isinstance(environment, Environment):
            names = policies.requirements.keys() if isinstance(policies, VerifiedRego) else None
            problems += contradictions(environment, CheckContext(names, time))
            of_rules = rule_names(environment, time)
            problems += of_rules.problems
            problems += rule_reasons(environment, time)
            hints = [*uncleared_agents(environment), *condition_hints(environment), *ended_rules(environment, time)]
            warnings = sorted([*of_rules.warnings, *hints, *unreviewed_pins(environment)])
        if problems or isinstance(policies, list) or isinstance(environment, list):
            return refusal(problems)
        warnings = sorted([*warnings, *missing_own_data(environment, policies.requirements)])
        described = {name: msgspec.to_builtins(each) for name, each in policies.requirements.items()}
        data = bundle_data(environment, described)
        files = {**policies.files, "data.json": canonical(data), **carried_words(environment)}
        return Content(
            environment=environment,
            policies=policies,
            data=data,
            files=files,
            time=time,
            warnings=tuple(warnings),
        )

    def build(self, source: PolicySource, time: float, *, above: int = 0) -> Built | Problems:
        """Build the bundle with the next sequence number (more than `above`), or return all problems."""
        content = self.content(source, time)
        return content if isinstance(content, Problems) else self.finished(content, above=above)

    def finished(self, content: Content, *, above: int = 0) -> Built | Problems:
        """Load the checked content into a real OPA, and return its bundle, or the problems."""
        problems = self.rehearse(content)
        if problems:
            return refusal(problems)
        try:
            seq = next_sequence(self._state, content.environment.name, above=above)
        except (OSError, ValueError) as error:
            remedy = "Make the state directory writable, or restore the file."
            return refusal([Problem(str(self._state), 0, f"cannot provide a sequence number: {error}.", remedy)])
        made = issued(content, BuildStamp(seq=seq, built=content.time), self.key)
        return Built(
            revision=made.revision,
            seq=seq,
            content_id=content.identity,
            content=made.content,
            etag=f'"{hashlib.sha256(made.content).hexdigest()}"',
            keyid=self.key.keyid,
            public_key_pem=self.key.public_pem,
            warnings=content.warnings,
        )

    def rehearse(self, content: Content) -> list[Problem]:
        """Return the problems that a real OPA has with the packed content; empty if it loads and answers."""
        with tempfile.TemporaryDirectory(prefix="mcp-admission-") as scratch:
            made = issued(content, BuildStamp(seq=0, built=content.time))
            (Path(scratch) / ARCHIVE).write_bytes(made.content)
            return rehearsed(content.environment, self._opa, Path(scratch))


def issued(content: Content, terms: BuildStamp, key: SigningKey | None = None) -> Packed:
    """Pack a content with this metadata; the bundle is unsigned without a key."""
    end = "" if terms.days is None else rfc3339(terms.built + terms.days * _DAY_S)
    metadata = BundleMetadata(
        environment=content.environment.name,
        seq=terms.seq,
        commit=terms.commit,
        author=terms.author,
        built=rfc3339(terms.built),
        not_after=end,
        library=content.policies.library,
        lowest_gateway=lowest_gateway(content.data),
    )
    return pack(content.files, metadata, key=key)


def _found(result: object) -> list[Problem]:
    return result if isinstance(result, list) else []  # pyright: ignore[reportUnknownVariableType]


def build(source: PolicySource, state_dir: Path, opa: Path, time: float) -> Built | Problems:
    """Build once with a new signing key; for several builds, keep a `Builder`."""
    return Builder(state_dir, opa).build(source, time)
