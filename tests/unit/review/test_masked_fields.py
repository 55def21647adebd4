"""Masked fields of a question, and the requirements that read them."""

from typing import Any

import pytest

from gateway.review.masked_fields import Readings, withheld
from gateway.review.recorded_decision import Left
from gateway.review.replay_coverage import ReplayCoverage, shares
from tests.unit.review.conftest import REQUIREMENTS, a_question, a_row, data


def prevented(question: dict[str, Any], bundle: dict[str, Any], server: str = "mail") -> list[str]:
    row = a_row(question, whole=False, server=server)
    return Readings(bundle).prevented(row, withheld(row))


@pytest.mark.parametrize("mask", ["[string of 13]", "[number]", "[masked]", "token=[masked] and more"])
def test_a_mask_withholds_its_place(mask: str) -> None:
    assert "arguments.to.0.name" in withheld(a_row(a_question(to=[{"name": mask}]), whole=False))


def test_a_masked_key_masks_its_whole_object() -> None:
    assert "arguments.to" in withheld(a_row(a_question(to={"[masked]": 1, "b": 2}), whole=False))


def test_of_a_whole_question_nothing_was_withheld_whatever_it_says() -> None:
    assert withheld(a_row(a_question(to="[masked]"))) == []


def test_a_masked_field_that_a_requirement_reads_prevents_its_replay() -> None:
    assert prevented(a_question(to="[masked]"), data()) == ["recipients_are_known"]
    assert prevented(a_question(text="[string of 3]"), data()) == []


def test_a_rule_reads_the_arguments_that_it_compares_and_no_others() -> None:
    assert prevented(a_question(text="[string of 3]"), data("/text")) == ["rules_permit"]
    assert prevented(a_question(text={"a/b": "[number]"}), data("/text/a~1b")) == ["rules_permit"]
    assert prevented(a_question(text={"x": "[number]"}), data("/text")) == ["rules_permit"]
    assert prevented(a_question(text={"x": "[number]"}), data("/text/y")) == []


def test_rules_of_other_servers_do_not_count() -> None:
    assert prevented(a_question(secretly="[number]"), data("/text")) == []
    assert prevented(a_question(secretly="[number]"), data("/text"), server="files") == ["rules_permit"]


def test_with_another_index_than_the_builds_every_argument_counts() -> None:
    damaged = data("/text")
    damaged["index"]["rules"]["mail"]["send"]["any"]["allow"] = ["a-rule-that-is-not-there"]
    assert "rules_permit" in prevented(a_question(other="[number]"), damaged)


def test_a_requirement_that_reads_the_whole_input_needs_all_of_it() -> None:
    everything = data(requirements={"own": {"reads": ["input"]}})
    assert prevented(a_question(other="[number]"), everything) == ["own"]


def test_a_bundle_without_a_list_of_reads_reads_everything() -> None:
    assert prevented(a_question(other="[number]"), data(requirements={"own": {}})) == ["own"]
    assert prevented(a_question(other="[number]"), data(requirements={})) == [""]


def test_a_masked_target_prevents_requirements_that_read_the_target() -> None:
    reading = data(requirements={"target_is_listed": {"reads": ["input.target.name"]}})
    question = {**a_question(), "target": {"type": "tool", "name": "key=[masked]"}}
    assert prevented(question, reading) == ["target_is_listed"]


def test_the_arguments_that_rules_compare_are_listed() -> None:
    assert Readings(data("/text", "/to")).arguments() == ["/secretly", "/text", "/to"]


def test_the_coverage_counts_replayable_decisions_for_each_requirement() -> None:
    rows = [
        a_row(a_question(to="[masked]"), whole=False, count=3),
        a_row(a_question(to="a@example.com"), whole=False, count=5),
        Left("no_input", 2),
        Left("stopped", 7),
    ]
    found = {share.requirement: share for share in shares(rows, Readings(data()))}
    assert found["recipients_are_known"] == ReplayCoverage("recipients_are_known", 5, 10)
    assert found["server_is_listed"] == ReplayCoverage("server_is_listed", 8, 10)
    assert found[""] == ReplayCoverage("", 5, 10)
    assert found.keys() == {*REQUIREMENTS, ""}
