"""Every value that a document can have passes through the signed bundle to the real OPA unchanged."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from gateway.policy.build import Builder, Built, PolicySource
from gateway.policy.sources.document import Document, read_document
from gateway.policy.sources.problem import Problems

NOW = 1_795_000_000.0
Put = Callable[[str, str], Path]
CHARACTERS: Final = [*range(0xD800), *range(0xE000, 0x3100), *range(0xFDD0, 0x10000), 0x1F600, 0x1FFFF, 0x10FFFF]
NUMBERS: Final = (
    *("0", "-0", "-0.0", "0.1", "1e16", "1E+5", "1.0", "123456789.125", "1e308", "5e-324", "1e21", "1e-7"),
    *("9007199254740993", "9223372036854775807", "-9223372036854775808", "0x7fffffffffffffff", "0o17", "3."),
)


def values() -> str:
    """A document with every escaped character that is not half of a pair, in values and in keys."""
    lines = [f'c{number:x}: "x\\U{number:08x}y"' for number in CHARACTERS if number % 16 == 0 or number < 0x100]
    lines += [
        f'"k\\U{number:08x}": 1' for number in (*range(0x20), 0x7F, 0x85, 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0x1F600)
    ]
    lines += [f"n{place}: {number}" for place, number in enumerate(NUMBERS)]
    lines += ['pair: "\\ud83d\\ude00"', '"\\ud83d\\ude00 key": 1', "date: 2026-12-20", "nothing: ~", "on: off"]
    return "\n".join(lines) + "\n"


def held(opa: Path, bundle: Path, built: Built, query: str) -> Any:
    """What OPA finds in a bundle whose signature it has verified."""
    key = bundle.with_suffix(".pem")
    key.write_text(built.public_key_pem)
    verify = [opa, "build", "--bundle", bundle, "--verification-key", key, "--verification-key-id", built.keyid]
    verified = subprocess.run(
        [*verify, "--signing-alg", "ES256", "--output", bundle.with_suffix(".verified")],
        capture_output=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stderr[-2000:]
    command = [opa, "eval", "--bundle", bundle, "--format", "raw", query]
    ran = subprocess.run(command, capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return msgspec.json.decode(ran.stdout)


def test_every_value_that_is_accepted_is_what_opa_reads(
    builder: Builder, source: PolicySource, put: Put, opa: Path, tmp_path: Path
) -> None:
    document = read_document("values.yaml", put("bundles/dev/data/values.yaml", values()).read_bytes())
    assert isinstance(document, Document), document[:3]
    built = builder.build(source, NOW)
    assert isinstance(built, Built), built
    bundle = tmp_path / "bundle.tar.gz"
    bundle.write_bytes(built.content)
    assert held(opa, bundle, built, "data.own.values") == document.value
    assert document.value["pair"] == "😀"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('"\\ud83d"', "half of a surrogate pair"),
        ('"\\ude00\\ud83d"', "half of a surrogate pair"),
        ('["\\ud83d\\ud83d\\ude00"]', "half of a surrogate pair"),
        ('{"\\udfff": 1}', "half of a surrogate pair"),
        ('"\\U00110000"', "last character of Unicode"),
        ('"\\UFFFFFFFF"', "last character of Unicode"),
        (".inf", "JSON cannot represent"),
        ("-.Inf", "JSON cannot represent"),
        (".NAN", "JSON cannot represent"),
        ("1e400", "JSON cannot represent"),
        ("1e-400", "would become 0"),
        ("123456789012345678901", "64 bits"),
        ("9" * 5_000, "64 bits"),
        ("0x1ffffffffffffffff", "64 bits"),
        ("0o7777777777777777777777777", "64 bits"),
        ("!!binary aGk=", "tag"),
        ("!!timestamp 2026-12-20", "tag"),
        ("!!set {a, b}", "tag"),
        ("!!omap [a: 1]", "tag"),
        ("!!float 1", "tag"),
        ("{<<: {b: 1}}", "merge key"),
        ("&a [*a]", "anchor"),
        ("{1: b}", "not a string"),
        ("{[b]: c}", "not a string"),
        ("{b: 1, b: 2}", "repeats the key"),
        ('{"\\ud83d\\ude00": 1, "😀": 2}', "repeats the key"),
        ("[" * 33 + "]" * 33, "nested deeper"),
        ("017", "octal"),
        ('"\0"', "U+0000"),
        ("\x07", "U+0007"),
    ],
)
def test_every_other_value_is_refused_at_its_line(
    builder: Builder, source: PolicySource, put: Put, written: str, said: str
) -> None:
    put("bundles/dev/data/values.yaml", f"# values\nfirst: 1\nodd: {written}\n")
    refused = builder.build(source, NOW)
    assert isinstance(refused, Problems)
    assert {problem.file for problem in refused.problems} == {"bundles/dev/data/values.yaml"}
    assert refused.problems[0].line == 3
    assert any(said in problem.what for problem in refused.problems), refused
    assert all(problem.remedy and str(problem).encode() for problem in refused.problems)
