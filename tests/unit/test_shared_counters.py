"""Counters that workers share: each raises its own, all read all, and a new process continues its number's."""

import subprocess
import sys

import pytest

from gateway.shared_counters import alone, attached, created


def test_every_worker_sees_the_increments_of_another() -> None:
    with created(3) as descriptor:
        one, two, three = (attached(descriptor, number) for number in range(3))
    before = one.others("files"), three.others("files")
    two.increment("files")
    assert (one.others("files"), three.others("files")) != before
    assert two.others("files") == 0, "its own are not another's"
    assert {page.total("files") for page in (one, two, three)} == {1}


def test_other_names_stay_as_they_were() -> None:
    with created(2) as descriptor:
        one, two = (attached(descriptor, number) for number in range(2))
    for name in ("mail", "wiki"):
        one.increment(name)
    assert [two.others(name) for name in ("files", "mail", "wiki")] == [0, 1, 1]


def test_news_of_one_server_are_not_news_of_a_hundred_others() -> None:
    with created(2) as descriptor:
        one, two = (attached(descriptor, number) for number in range(2))
    kinds = ("tools", "prompts", "resources", "resources/templates")
    for kind in kinds:
        one.increment(f"{kind}/list noisy")
    assert not any(two.others(f"{kind}/list server{number}") for kind in kinds for number in range(400))


def test_a_worker_that_is_started_again_continues_its_counters() -> None:
    with created(2) as descriptor:
        one, two = attached(descriptor, 0), attached(descriptor, 1)
        two.increment("files")
        again = attached(descriptor, 1)
    again.increment("files")
    assert one.others("files") == 2


def test_another_process_increments_the_counter_that_this_one_reads() -> None:
    with created(2) as descriptor:
        ours = attached(descriptor, 0)
        source = f"from gateway.shared_counters import attached; attached({descriptor}, 1).increment('files')"
        subprocess.run([sys.executable, "-c", source], check=True, pass_fds=(descriptor,))
    assert ours.others("files") == 1


def test_a_process_alone_has_no_others() -> None:
    page = alone()
    page.increment("files")
    assert page.others("files") == 0
    assert page.total("files") == 1


@pytest.mark.parametrize("worker", [-1, 2])
def test_a_worker_without_counters_in_the_page_is_refused(worker: int) -> None:
    with created(2) as descriptor, pytest.raises(ValueError, match="no counters"):
        attached(descriptor, worker)


def test_a_name_that_is_not_valid_text_also_has_a_counter() -> None:
    page = alone()
    page.increment("\ud800")
    assert page.total("\ud800") == 1
