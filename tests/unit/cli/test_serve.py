"""`serve --settings` lists the settings without starting a gateway."""

from click.testing import CliRunner

from gateway.cli import main
from gateway.settings import table


def test_every_setting_is_listed_with_its_default_and_nothing_is_started() -> None:
    listed = CliRunner().invoke(main, ["serve", "--settings"])
    assert (listed.exit_code, listed.stdout) == (0, table())
    assert "| `opa.stale_hard_s` | `86400` |" in listed.stdout
