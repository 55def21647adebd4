"""A policy repository cannot change the stock library (DESIGN section 4): one test for each refusal."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.policy.build import Builder, Built, Content, PolicySource
from gateway.policy.sources.problem import Problem, Problems

NOW = 1_795_000_000.0
Put = Callable[[str, str], Path]
Refused = Callable[[], list[Problem]]

OWN = """
    # METADATA
    # title: Hosts are known
    # description: The server's host is one of ours.
    # custom: {severity: low, remedy: Add the host.}
    package mcp.requirements.hosts_are_known

    import data.mcp.lib.own.hosts

    met if hosts.known
    """
OWN_TEST = """
    package mcp.requirements.hosts_are_known_test

    import data.mcp.requirements.hosts_are_known

    test_it if hosts_are_known.met with input as {"server": {"id": "a"}} with data.own.hosts as {"a": true}
    """
OWN_LIB = """
    package mcp.lib.own.hosts

    known if data.own.hosts[input.server.id] == true

    unknown if data.own.hosts[input.server.id] == false

    strange contains name if {
    \tsome name, _ in data.own.hosts
    \tname == "strange"
    }
    """
PATH = "rego/mcp/requirements/hosts_are_known/hosts_are_known.rego"
TEST_PATH = "rego/mcp/requirements/hosts_are_known/hosts_are_known_test.rego"
LIB_PATH = "rego/mcp/lib/own/hosts/hosts.rego"


def also(condition: str) -> str:
    return OWN.replace("hosts.known", f"{{ hosts.known; {condition} }}")


@pytest.fixture
def own(put: Put) -> Put:
    put(PATH, OWN)
    put(TEST_PATH, OWN_TEST)
    put(LIB_PATH, OWN_LIB)
    put("bundles/dev/data/hosts.yaml", "files: true\n")
    return put


@pytest.fixture
def refused(builder: Builder, source: PolicySource) -> Refused:
    def problems() -> list[Problem]:
        result = builder.build(source, NOW)
        assert isinstance(result, Problems), result
        return list(result.problems)

    return problems


def test_own_data_that_is_read_and_missing_is_a_warning(
    builder: Builder, source: PolicySource, own: Put, policy: Path
) -> None:
    del own
    content = builder.content(source, NOW)
    assert isinstance(content, Content)
    assert content.warnings == ()
    (policy / "bundles/dev/data/hosts.yaml").unlink()
    content = builder.content(source, NOW)
    assert isinstance(content, Content)
    (warning,) = content.warnings
    assert warning.file == "bundles/dev/data/hosts.yaml"
    assert warning.what == "is missing, but `hosts_are_known` reads `data.own.hosts`."


def test_an_own_requirement_with_its_library_data_and_test_is_added(
    builder: Builder, source: PolicySource, own: Put
) -> None:
    content = builder.content(source, NOW)
    assert not isinstance(content, Problems), content
    assert sorted(content.policies.requirements) == ["hosts_are_known", "server_is_listed"]
    assert content.policies.requirements["hosts_are_known"].reads == ["data.own.hosts", "input.server.id"]
    assert b"data.mcp.requirements.hosts_are_known.met == true" in content.files["mcp/admission/requirements.rego"]
    assert isinstance(builder.build(source, NOW), Built)


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        (
            "rego/mcp/requirements/server_is_listed/server_is_listed.rego",
            "package mcp.requirements.server_is_listed\n\nmet if true\n",
            "path of a stock file",
        ),
        (
            "rego/mcp/requirements/server_is_listed/more.rego",
            "package mcp.requirements.server_is_listed\n\nmet if true\n",
            "stock package",
        ),
        (
            "rego/mcp/requirements/harmless/harmless.rego",
            "package mcp.requirements.server_is_listed\n\nmet if true\n",
            "has the package `mcp.requirements.server_is_listed`",
        ),
        (
            "rego/mcp/requirements/harmless/x_test.rego",
            "package mcp.requirements.server_is_listed\n\nmet if true\n",
            "has the package `mcp.requirements.server_is_listed`",
        ),
        (
            "rego/mcp/requirements/harmless/harmless.rego",
            'package mcp.requirements["server_is_listed"]\n\nmet if true\n',
            "has the package `mcp.requirements.server_is_listed`",
        ),
        (
            "rego/mcp/requirements/a/b/c.rego",
            "package mcp.requirements.a.b\n\nmet if true\n",
            "is outside the policy directories",
        ),
        ("rego/mcp/requirements/c.rego", "package mcp.requirements\n\nx := 1\n", "is outside the policy directories"),
        (
            "rego/mcp/requirements/Big/big.rego",
            "package mcp.requirements.Big\n\nmet if true\n",
            "is outside the policy directories",
        ),
        ("rego/mcp/requirements/x_test/x.rego", "package mcp.requirements.x_test\n\nmet if true\n", "ends in `_test`"),
        (
            "rego/mcp/admission/more.rego",
            'package mcp.admission\n\noutcome := "allow"\n',
            "is outside the policy directories",
        ),
        (
            "rego/mcp/lib/catalog/more.rego",
            "package mcp.lib.catalog\n\nlisted if true\n",
            "is outside the policy directories",
        ),
        ("rego/mcp/lib/mine/mine.rego", "package mcp.lib.mine\n\nx := 1\n", "is outside the policy directories"),
        ("rego/mcp/lib/own/hosts/hosts.rego", "package mcp.lib.catalog\n\nlisted if true\n", "has the package"),
        ("rego/system/authz.rego", "package system.authz\n\nallow if true\n", "is outside the policy directories"),
        ("rego/mine.rego", "package mine\n\nx := 1\n", "is outside the policy directories"),
        ("rego/mcp/data.json", "{}", "is not Rego"),
        ("rego/mcp/requirements/harmless/data.yaml", "x: 1\n", "is not Rego"),
        ("rego/system/data.json", "{}", "is not Rego"),
        ("rego/schemas/input.json", "{}", "is not Rego"),
        ("rego/data.yaml", "x: 1\n", "is not Rego"),
        ("rego/data.json", "{}", "is not Rego"),
        ("rego/capabilities.json", "{}", "is not Rego"),
        ("rego/.manifest", "{}", "is not Rego"),
    ],
)
def test_own_files_cannot_replace_or_widen_the_stock(
    refused: Refused, put: Put, path: str, text: str, said: str
) -> None:
    put(path, text)
    problems = refused()
    assert said in " ".join(problem.what for problem in problems if problem.file == path)
    assert all(problem.remedy for problem in problems)


def test_a_package_in_two_directories_is_refused(refused: Refused, own: Put) -> None:
    own("rego/mcp/lib/own/more/more.rego", "package mcp.lib.own.hosts\n\nknown if true\n")
    assert [problem.file for problem in refused()] == ["rego/mcp/lib/own/more/more.rego"]


def test_a_link_that_leads_outside_is_refused(refused: Refused, own: Put, policy: Path) -> None:
    outside = policy.parent / "outside.rego"
    outside.write_text("package mcp.lib.own.hosts\n")
    (policy / "rego/mcp/lib/own/hosts/link.rego").symlink_to(outside)
    assert "is a link out of the policy repository" in refused()[0].what


def test_files_of_editors_are_named_and_do_not_refuse_a_save(
    builder: Builder, source: PolicySource, own: Put, policy: Path
) -> None:
    for name in (".#hosts.rego", "hosts.rego~", ".hosts.rego.swp"):
        (policy / "rego/mcp/lib/own/hosts" / name).write_text("not rego")
    refused = builder.build(source, NOW)
    assert isinstance(refused, Problems)
    assert [problem.what.split(" next to ")[0] for problem in refused.problems] == [
        "is the lock file of an editor",
        "is the swap file of an editor",
        "is the backup file of an editor",
    ]
    assert isinstance(builder.build(replace(source, editing=True), NOW), Built)


@pytest.mark.parametrize(
    ("edit", "line", "said"),
    [
        ((PATH, OWN.replace("met if hosts.known", "met if {")), 10, "eof"),
        ((PATH, OWN.replace("hosts.known", "hosts.unknown")), 5, "test_it fails"),
        ((PATH, OWN.replace("met if hosts.known", "met if input.sever.id")), 9, "undefined ref"),
        ((PATH, OWN.replace("met if hosts.known", 'met if http.send({"url": "http://x"})')), 9, "undefined function"),
        ((PATH, OWN.replace("met if hosts.known", "met if time.now_ns() > 1")), 9, "undefined function"),
        ((PATH, OWN.replace("met if hosts.known", "met if opa.runtime().env.HOME")), 9, "undefined function"),
        ((PATH, OWN.replace("met if hosts.known", 'met if rand.intn("x", 2) == 1')), 9, "undefined function"),
        ((TEST_PATH, OWN_TEST.replace("hosts_are_known.met", "not hosts_are_known.met")), 5, "test_it fails"),
        ((TEST_PATH, OWN_TEST.replace("test_it if", "testing if")), 0, "has no tests"),
        ((PATH, OWN.replace("met if", "meet if")), 0, "does not define `met`"),
        ((PATH, OWN.replace("    # title: Hosts are known\n", "")), 1, "lacks title"),
        ((PATH, OWN.replace("severity: low", "severity: huge")), 1, "lacks custom.severity"),
        ((PATH, OWN.replace(", remedy: Add the host.", "")), 1, "lacks custom.remedy"),
        ((PATH, OWN[OWN.index("    package") :]), 1, "has no METADATA"),
        ((PATH, also("input.arguments.x")), 9, "reads `input.arguments.x`"),
        ((PATH, also('input.phase == "list"')), 9, "reads `input.phase`"),
        ((PATH, also('input.client.name == "x"')), 9, "reads `input.client.name`"),
        ((PATH, also("count(input.items) == 0")), 9, "reads `input.items`"),
        (
            (PATH, also('input.arguments_meta.schema == "match"')),
            9,
            "input.arguments_meta.schema",
        ),
        (
            (PATH, OWN.replace("hosts.known", "not hosts.unknown")),
            9,
            "`not` also passes if the value cannot be checked: `data.own.hosts`",
        ),
        ((PATH, OWN.replace("hosts.known", "count(hosts.strange) == 0")), 9, "an empty result permits"),
        ((PATH, also('input.message.method == "tools/call"')), 9, "reads `input.message.method`"),
        ((PATH, also('object.get(input, ["arguments"], 1) == 1')), 9, "`input` as a whole"),
        ((LIB_PATH, OWN_LIB.replace("input.server.id", "input.arguments.server")), 9, "reads `input.arguments.server`"),
    ],
)
def test_an_own_requirement_that_does_not_hold_up_is_refused(
    refused: Refused, own: Put, edit: tuple[str, str], line: int, said: str
) -> None:
    own(*edit)
    problems = refused()
    shown = TEST_PATH if "test_it" in said else PATH
    assert (shown, line) in [(problem.file, problem.line) for problem in problems], problems
    assert any(said in problem.what for problem in problems), problems


@pytest.fixture
def again(tmp_path: Path, opa: Path, stock: Path) -> Builder:
    return Builder(tmp_path / "state", opa, stock=stock)


def test_sources_that_were_verified_are_not_verified_again(
    refused: Refused, source: PolicySource, own: Put, tmp_path: Path, again: Builder
) -> None:
    assert isinstance(again.build(source, NOW), Built)
    remembered = sorted((tmp_path / "state" / "verified").iterdir())
    assert len(remembered) == 1
    own(TEST_PATH, OWN_TEST.replace("hosts_are_known.met", "not hosts_are_known.met"))
    assert "test_it fails" in refused()[0].what
    own(TEST_PATH, OWN_TEST)
    assert isinstance(again.build(source, NOW), Built)
    assert sorted((tmp_path / "state" / "verified").iterdir()) == remembered


def test_an_unchanged_copy_of_the_stock_is_accepted(
    builder: Builder, source: PolicySource, stock: Path, policy: Path
) -> None:
    shutil.copytree(stock, policy / "rego")
    assert isinstance(builder.build(source, NOW), Built)
    changed = policy / "rego/mcp/lib/catalog/catalog.rego"
    changed.write_text(changed.read_text() + "\n")
    assert isinstance(builder.build(source, NOW), Problems)
