"""A real OPA that follows a real bundle service, and stubs that answer in place of OPA."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.opa.binary import obtain
from gateway.opa.process import ManagedOpa
from tests.unit.opa.support import Key, Log, PolicyService, bundle


@pytest.fixture(scope="session")
def binary() -> Path:
    return obtain(print)


@pytest.fixture(scope="session")
def key() -> Key:
    return Key()


@pytest.fixture(scope="session")
def packed(binary: Path, key: Key) -> bytes:
    return bundle(binary, key, "dev@aaaaaaaaaaaa.1")


@pytest.fixture
def log() -> Log:
    return Log()


@pytest_asyncio.fixture
async def service(key: Key, packed: bytes) -> AsyncIterator[PolicyService]:
    service = await PolicyService(key).start()
    service.publish(packed, '"1"')
    yield service
    await service.stop()


@pytest_asyncio.fixture
async def opa(binary: Path, service: PolicyService, log: Log) -> AsyncIterator[ManagedOpa]:
    opa = ManagedOpa(binary, service.source, report=log)
    await opa.check()
    opa.start()
    yield opa
    await opa.stop()
