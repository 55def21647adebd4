"""The servers as pytest fixtures: import the ones that you use into a conftest, or into a test module.

    from tests.servers.fixtures import recorder  # noqa: F401 - a fixture

Rule 1: the recording server is started once a session; its journal is empty at the start of every test.
"""

from collections.abc import AsyncGenerator, Generator

import pytest

from tests.servers.recording import Recorder, recording
from tests.servers.scripted import Scripted, scripted


@pytest.fixture(scope="session")
def recording_process(tmp_path_factory: pytest.TempPathFactory) -> Generator[Recorder]:
    """The process of the recording server; tests ask for `recorder`."""
    with recording(tmp_path_factory.mktemp("recording") / "journal") as running:
        yield running


@pytest.fixture
def recorder(recording_process: Recorder) -> Recorder:
    """The recording server, with an empty journal. A test that calls `change` needs a `recording` of its own."""
    recording_process.clear()
    return recording_process


@pytest.fixture
async def upstream_script() -> AsyncGenerator[Scripted]:
    """A scripted server that answers everything with an empty result, until the test gives it another script."""
    async with scripted() as running:
        yield running
