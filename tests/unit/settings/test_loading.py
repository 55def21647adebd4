"""Settings from a file and the environment."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from gateway.settings import SettingProblems, Settings, load, table
from gateway.settings.loading import BELOW_STATE, PATH_DEFAULTS
from gateway.settings.typed_reader import variables

ISSUER = "{issuer: https://idp.example, keys_url: https://idp.example/keys}"


def settings(tmp_path: Path, text: str, **environ: str) -> Settings:
    loaded = load(written(tmp_path, text), environ)
    assert isinstance(loaded, Settings), str(loaded)
    return loaded


def problems(tmp_path: Path, text: str, **environ: str) -> list[str]:
    loaded = load(written(tmp_path, text), environ)
    assert isinstance(loaded, SettingProblems)
    return [str(problem).removeprefix(str(tmp_path) + "/") for problem in loaded.items]


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_the_defaults_are_safe() -> None:
    loaded = load(None, {})
    assert isinstance(loaded, Settings)
    assert loaded.listen.host == "127.0.0.1"
    assert loaded.admin.host == "127.0.0.1"
    assert not loaded.identity.anonymous
    assert loaded.journal.durability == "disk"
    assert loaded.journal.masking == "masked"
    assert loaded.opa.deadline_ms == 250
    assert loaded.workers == 1


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    assert settings(tmp_path, "# nothing\n").listen.port == 8930


def test_a_section_whose_lines_are_all_comments_is_its_defaults(tmp_path: Path) -> None:
    assert settings(tmp_path, "listen:\n  # port: 1\nstate:\n").state.directory == tmp_path / ".state"


def test_a_file_sets_the_settings_that_it_names(tmp_path: Path) -> None:
    loaded = settings(tmp_path, f"listen: {{port: 9000}}\nidentity:\n  issuers:\n    - {ISSUER}\nheaders: [X-Team]\n")
    assert loaded.listen.port == 9000
    assert loaded.identity.issuers[0].algorithms == ("RS256", "ES256")
    assert loaded.headers == ("x-team",)


def test_relative_paths_are_meant_from_the_directory_of_the_file(tmp_path: Path) -> None:
    loaded = settings(tmp_path, "policy: {directory: policies}\nopa: {binary: /usr/bin/opa}\n")
    assert loaded.policy.directory == tmp_path / "policies"
    assert loaded.opa.binary == Path("/usr/bin/opa")


def test_journal_and_keys_follow_the_state_directory(tmp_path: Path) -> None:
    loaded = settings(tmp_path, "state: {directory: /var/lib/gateway}\n")
    assert loaded.journal.directory == Path("/var/lib/gateway/journal")
    assert loaded.sealing.directory == Path("/var/lib/gateway/sealing")


def test_a_journal_elsewhere_stays_elsewhere(tmp_path: Path) -> None:
    loaded = settings(tmp_path, "state: {directory: /var/lib/gateway}\njournal: {directory: records}\n")
    assert loaded.journal.directory == tmp_path / "records"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    environ = {
        "MCP_ADMISSION_LISTEN_PORT": "9001",
        "MCP_ADMISSION_WORKERS": "2",
        "MCP_ADMISSION_IDENTITY_ANONYMOUS": "true",
        "MCP_ADMISSION_LISTEN_ALLOWED_HOSTS": "a.example, b.example:8443",
        "MCP_ADMISSION_OPA_STALE_HARD_S": "",
        "MCP_ADMISSION_STATE_DIRECTORY": "/srv/state",
    }
    loaded = settings(tmp_path, "listen: {port: 9000}\n", **environ)
    assert loaded.listen.port == 9001
    assert loaded.workers == 2
    assert loaded.identity.anonymous
    assert loaded.listen.allowed_hosts == ("a.example", "b.example:8443")
    assert loaded.opa.stale_hard_s is None
    assert loaded.sealing.directory == Path("/srv/state/sealing")


def test_issuers_come_from_the_environment_as_json(tmp_path: Path) -> None:
    text = '[{"issuer": "https://idp.example", "keys_url": "https://idp.example/keys", "algorithms": ["ES256"]}]'
    loaded = settings(tmp_path, "", MCP_ADMISSION_IDENTITY_ISSUERS=text)
    assert loaded.identity.issuers[0].algorithms == ("ES256",)


@pytest.mark.parametrize("content", [None, "no certificate\n"])
def test_the_authority_of_an_issuer_is_looked_at_before_the_start(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    found = problems(tmp_path, "identity: {issuers: [{issuer: x, keys_url: 'https://a/b', ca_file: ca.pem}]}\n")
    assert len(found) == 1
    assert "identity.issuers[0].ca_file" in found[0]
    assert f"`{tmp_path / 'ca.pem'}` cannot be used" in found[0]


def test_issuers_that_are_not_json_are_a_problem(tmp_path: Path) -> None:
    found = problems(tmp_path, "", MCP_ADMISSION_IDENTITY_ISSUERS="[{")
    assert found[0].startswith("environment variable MCP_ADMISSION_IDENTITY_ISSUERS: identity.issuers: is not JSON")


def test_variables_of_other_programs_are_left_alone(tmp_path: Path) -> None:
    settings(tmp_path, "", HOME="/root", MCP_ADMISSION_CONFIG="x")


def test_all_problems_are_reported_at_once_with_their_lines(tmp_path: Path) -> None:
    text = "listen:\n  prot: 1\n  port: ninety\nworkers: 0\njournal:\n  durability: maybe\nnonsense: 1\n"
    found = problems(tmp_path, text)
    assert len(found) == 5
    joined = "\n".join(found)
    assert "settings.yaml:2: listen.prot: is not a setting. Did you mean `port`?" in joined
    assert "settings.yaml:3: listen.port: expected `int`, got `str`" in joined
    assert "settings.yaml:4: workers: expected `int` >= 1" in joined
    assert "settings.yaml:6: journal.durability: invalid enum value 'maybe'" in joined
    assert "settings.yaml:7: nonsense: is not a setting" in joined


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("listen: [1]\n", "settings.yaml:1: listen: must be a mapping of settings"),
        ("listen: 3\n", "settings.yaml:1: listen: must be a mapping of settings"),
        ("a: &x 1\n", "settings.yaml:1: a: uses an anchor or alias"),
        ("workers: 1\nworkers: 2\n", "settings.yaml:2: workers: appears twice"),
        ("1: 2\n", "settings.yaml:1: has a key that is not a string"),
        ("? [a]\n: 2\n", "settings.yaml:1: has a key that is not a string"),
        ("workers: !!python/none 1\n", "settings.yaml:1: workers: has a value of unknown type"),
        ("listen: {\n", "settings.yaml:2: is not YAML"),
        ("a: 1\n---\nb: 2\n", "is not YAML"),
        ("listen: {tls: {key: k}}\n", "settings.yaml:1: listen.tls.certificate: is missing"),
        ("identity: {issuers: {}}\n", "settings.yaml:1: identity.issuers: must be a list"),
        ("identity: {issuers: [{issuer: x}]}\n", "settings.yaml:1: identity.issuers[0].keys_url: is missing"),
        (
            "identity:\n  issuers:\n  - issuer: x\n    keys_url: https://a/b\n    algorithms: [HS256]\n",
            "settings.yaml:5: identity.issuers[0].algorithms: invalid enum value 'HS256'",
        ),
        ("secrets: {directory: 3}\n", "settings.yaml:1: secrets.directory: expected a path"),
    ],
)
def test_unreadable_content_is_an_error_with_its_place(tmp_path: Path, text: str, wanted: str) -> None:
    assert wanted in "\n".join(problems(tmp_path, text))


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    loaded = load(tmp_path / "nowhere.yaml", {})
    assert isinstance(loaded, SettingProblems)
    assert "nowhere.yaml: No such file or directory" in str(loaded)


def test_a_file_that_is_not_utf_8_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_bytes(b"workers: \xff\n")
    assert "is not UTF-8" in str(load(tmp_path / "settings.yaml", {}))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "listen: {host: 0.0.0.0, public_url: 'https://m', plaintext: true}\nidentity: {anonymous: true}\n",
            "settings.yaml:2: identity.anonymous: anonymous callers would be accepted from other machines",
        ),
        ("listen: {host: 0.0.0.0, plaintext: true}\n", "listen.public_url: is required"),
        ("listen: {host: 10.1.2.3, public_url: 'http://m.example'}\n", "listen.host: credentials would cross"),
        ("listen: {public_url: 'https://m.example/path'}\n", "listen.public_url: `https://m.example/path` is not"),
        ("listen: {public_url: 'https://u@m.example'}\n", "is not an origin"),
        ("listen: {public_url: 'ftp://m.example'}\n", "is not an origin"),
        ("listen: {public_url: 'http://m.example:99999'}\n", "is not an origin"),
        (f"listen: {{port: 0}}\nidentity: {{issuers: [{ISSUER}]}}\n", "listen.public_url: is required if"),
        ("listen: {trusted_proxies: [somewhere]}\n", "`somewhere` is not a network"),
        ("listen: {allowed_hosts: ['*.example']}\n", "`*.example` is not a host name"),
        ("listen: {allowed_hosts: ['a/b']}\n", "`a/b` is not a host name"),
        ("listen: {allowed_origins: ['https://a/b']}\n", "`https://a/b` is not an origin"),
        ("opa: {managed: false}\n", "opa.url: is missing"),
        ("opa: {url: 'https://opa.example'}\n", "opa.url: is set, but `opa.managed` is true"),
        ("opa: {managed: false, url: 'http://opa.example'}\n", "`http://opa.example` is not encrypted"),
        ("opa: {stale_soft_s: 10, stale_hard_s: 5}\n", "opa.stale_soft_s: is longer"),
        (
            f"identity: {{issuers: [{ISSUER}, {ISSUER}]}}\n",
            "identity.issuers[1].issuer: `https://idp.example` appears twice",
        ),
        ("identity: {issuers: [{issuer: a, keys_url: 'http://idp.example/k'}]}\n", "is not encrypted"),
        ("identity: {issuers: [{issuer: a, keys_url: 'nothing'}]}\n", "`nothing` is not an http(s) URL"),
        ("headers: [Authorization]\n", "headers: `Authorization` contains credentials"),
        ("headers: ['a b']\n", "`a b` is not a header name"),
        ("admin: {port: 8930}\n", "admin.port: is the port of the data listener"),
        ("journal: {auditor_key: age1nonsense}\n", "journal.auditor_key: cannot be used"),
        ("journal: {auditor_key: AGE-SECRET-KEY-1X}\n", "journal.auditor_key: cannot be used: this is a private key"),
        ("journal: {auditor_key: /nowhere/auditor.pub}\n", "journal.auditor_key: cannot be used"),
        ("journal: {auditor_key: auditor.pub}\n", "journal.auditor_key: `auditor.pub` is neither"),
        ("policy: {bundle: {urls: ['http://b.example'], keys: [{file: k}]}}\n", "policy.bundle.urls: `http://b.exa"),
        ("policy: {bundle: {urls: ['https://me@b.example'], keys: [{file: k}]}}\n", "urls: contains a user name"),
        ("policy: {bundle: {urls: ['https://me:pw@b:x'], keys: [{file: k}]}}\n", "urls: contains a user name"),
        ("opa: {managed: false, url: 'https://me@opa.example'}\n", "opa.url: contains a user name or password"),
        ("policy: {bundle: {urls: ['https://b.example'], keys: []}}\n", "policy.bundle.keys: is empty"),
        ("policy: {bundle: {urls: [], keys: [{file: k}]}}\n", "policy.bundle.urls: expected"),
        (
            "policy: {bundle: {urls: ['https://b'], resource: ../x, keys: [{file: k}]}}\n",
            "policy.bundle.resource: `../x`",
        ),
        ("policy: {bundle: {urls: ['https://b'], keys: [{file: k, algorithm: EdDSA}]}}\n", "does not verify EdDSA"),
        ("policy: {environment: emergency}\n", "policy.environment: `emergency` is reserved for stops"),
        ("labels: {'a b': c}\n", "labels: `a b: c` is not a label"),
        ("labels: {region: ''}\n", "labels: `region: ` is not a label"),
    ],
)
def test_settings_that_do_not_fit_together_are_a_problem(tmp_path: Path, text: str, wanted: str) -> None:
    assert wanted in "\n".join(problems(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "http://127.0.0.1:8930"),
        ("listen: {host: '::1'}\n", "http://[::1]:8930"),
        ("listen: {tls: {certificate: c, key: k}}\n", "https://127.0.0.1:8930"),
        ("listen: {public_url: 'https://m.example/'}\n", "https://m.example"),
        ("listen: {host: 0.0.0.0, plaintext: true, public_url: 'http://m.example'}\n", "http://m.example"),
    ],
)
def test_the_public_url_is_the_one_that_clients_use(tmp_path: Path, text: str, wanted: str) -> None:
    assert settings(tmp_path, text).public_url == wanted


def test_the_table_names_every_setting() -> None:
    shown = table()
    for path in variables(Settings).values():
        assert f"| `{'.'.join(path)}` |" in shown
    assert "| `identity.issuers[].audience` |" in shown
    assert all(row.count("|") == 4 for row in shown.splitlines())


def test_no_two_settings_share_a_variable() -> None:
    names = variables(Settings)
    assert len(set(names.values())) == len(names)


def test_every_directory_with_a_default_is_a_setting() -> None:
    assert {*PATH_DEFAULTS, *BELOW_STATE} <= set(variables(Settings).values())


@given(st.text())
def test_any_text_is_read_to_settings_or_problems(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text.encode("utf-8", "ignore").decode(), encoding="utf-8")
    loaded = load(path, {})
    assert isinstance(loaded, Settings) or loaded.items


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.sampled_from(["listen", "identity", "issuers", "tls", "opa", "x"]), below, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_tree_is_read_to_settings_or_problems(tmp_path_factory: pytest.TempPathFactory, tree: object) -> None:
    path = tmp_path_factory.getbasetemp() / "tree.yaml"
    path.write_bytes(msgspec.json.encode(tree))
    loaded = load(path, {})
    assert isinstance(loaded, Settings) or loaded.items


@given(st.dictionaries(st.sampled_from(sorted(variables(Settings))), st.text(max_size=20)))
def test_any_environment_is_read_to_settings_or_problems(environ: dict[str, str]) -> None:
    loaded = load(None, environ)
    assert isinstance(loaded, Settings) or loaded.items


def test_a_password_in_a_url_is_refused_and_not_repeated(tmp_path: Path) -> None:
    loaded = load(written(tmp_path, "policy: {bundle: {urls: ['https://me:hunter22@b'], keys: [{file: k}]}}\n"), {})
    assert isinstance(loaded, SettingProblems)
    assert "contains a user name or password" in str(loaded)
    assert "hunter22" not in str(loaded)


def test_a_written_default_is_the_default(tmp_path: Path) -> None:
    loaded = load(written(tmp_path, ""), {})
    assert isinstance(loaded, Settings)
    plain = msgspec.to_builtins(loaded, enc_hook=str)
    with (tmp_path / "again.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(plain, file)  # pyright: ignore[reportUnknownMemberType]
    assert load(tmp_path / "again.yaml", {}) == loaded
