"""Suggested classes of action name their source, and are never milder than a verb in the name or a claim."""

from collections.abc import Mapping
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.catalog.action_verbs import CLASS_OF, HARM
from gateway.cli.catalog.document import read as read_entry
from gateway.cli.catalog.document import renew, written
from gateway.cli.catalog.server_listing import listed
from gateway.cli.catalog.suggestion import suggestion
from gateway.cli.catalog.survey import Survey
from gateway.policy.sources.document import Document, read_document

READ_ONLY: dict[str, Any] = {"readOnlyHint": True}
KNOWN: Final[Mapping[str, str]] = {
    "read": (
        "get_code_scanning_alert get_dependabot_alert get_discussion get_discussion_comments get_file_contents "
        "get_global_security_advisory get_issue get_job_logs get_me get_notification_details get_pull_request "
        "get_pull_request_diff get_pull_request_files get_pull_request_status get_secret_scanning_alert "
        "get_team_members get_workflow_run list_branches list_code_scanning_alerts list_commits list_discussions "
        "list_gists list_issues list_notifications list_pull_requests list_releases list_tags list_workflow_runs "
        "list_workflows search_code search_issues search_orgs search_repositories search_users issue_read "
        "pull_request_read slack_list_channels slack_get_channel_history slack_get_thread_replies slack_get_users "
        "slack_get_user_profile conversations_search_messages channels_list read_file read_text_file read_media_file "
        "read_multiple_files list_directory list_directory_with_sizes directory_tree search_files get_file_info "
        "list_allowed_directories git_diff_unstaged git_diff_staged git_diff git_show list_tables describe_table "
        "get_top_queries list_schemas get_object_details jira_search jira_get_issue jira_get_transitions "
        "jira_get_worklog confluence_search confluence_get_page confluence_get_comments getJiraIssue "
        "searchJiraIssuesUsingJql API-get-user API-retrieve-a-page notion-search browser_tab_list kubectl_get "
        "kubectl_describe pods_list pods_get events_list namespaces_list configuration_view read_graph search_nodes "
        "brave_web_search brave_local_search get_current_time get-library-docs firecrawl_search search_emails "
        "list-events get-freebusy list_customers list_processes get_config"
    ),
    "write": (
        "add_sub_issue assign_copilot_to_issue create_branch create_gist create_issue create_or_update_file "
        "create_pull_request create_repository dismiss_notification download_workflow_run_artifact fork_repository "
        "get_commit get_tag mark_all_notifications_read merge_pull_request star_repository unstar_repository "
        "update_gist update_issue update_pull_request update_pull_request_branch issue_write slack_add_reaction "
        "write_file edit_file create_directory move_file git_commit git_add git_reset git_create_branch git_checkout "
        "git_init git_branch create_table append_insight jira_create_issue jira_update_issue jira_transition_issue "
        "jira_add_worklog jira_link_to_epic jira_batch_create_issues jira_download_attachments confluence_create_page "
        "confluence_update_page confluence_add_label editJiraIssue transitionJiraIssue API-patch-page "
        "notion-create-pages notion-update-page notion-move-pages notion-duplicate-page browser_drag "
        "browser_select_option browser_close kubectl_apply kubectl_create kubectl_scale kubectl_patch "
        "upgrade_helm_chart resources_create_or_update create_entities create_relations add_observations open_nodes "
        "convert_time resolve-library-id firecrawl_extract create-event update-event create_customer "
        "create_payment_link set_config_value"
    ),
    "send": (
        "add_comment_to_pending_review add_issue_comment get_latest_release push_files request_copilot_review "
        "submit_pending_pull_request_review slack_post_message slack_reply_to_thread conversations_add_message "
        "jira_add_comment API-post-page API-post-search API-create-a-comment notion-fetch browser_file_upload "
        "port_forward fetch firecrawl_scrape firecrawl_crawl send_email draft_email read_email modify_email "
        "list_email_labels create_refund"
    ),
    "delete": (
        "delete_file delete_pending_pull_request_review delete_workflow_run_logs cancel_workflow_run remove_sub_issue "
        "jira_delete_issue confluence_delete_page API-delete-a-block kubectl_delete uninstall_helm_chart pods_delete "
        "resources_delete delete_entities delete_observations delete_email batch_delete_emails delete-event "
        "cancel_subscription purge_cache force_terminate"
    ),
    "execute": (
        "rerun_failed_jobs rerun_workflow_run run_workflow query read_query write_query execute_sql explain_query "
        "pg_execute_mutation browser_navigate browser_click browser_type browser_press_key browser_hover "
        "browser_fill_form browser_evaluate browser_run_code browser_install puppeteer_navigate puppeteer_evaluate "
        "install_helm_chart stop_port_forward exec_in_pod pods_exec pods_run deploy_to_netlify call_aws use_figma "
        "run_command execute_command start_process kill_process interact_with_process"
    ),
    "unknown": (
        "manage_notification_subscription reprioritize_sub_issue conversations_history conversations_replies "
        "git_status git_log analyze_db_health browser_snapshot browser_take_screenshot browser_console_messages "
        "browser_network_requests browser_wait_for browser_handle_dialog kubectl_logs kubectl_rollout kubectl_context "
        "kubectl_generic node_management pods_log pods_top sequentialthinking finalize_invoice suggest_aws_commands"
    ),
}
"""The tools of public servers (GitHub, Slack, git, Postgres, Jira, Notion, Playwright, Kubernetes, ...) by class."""
NAMES: Final = [(name, action) for action, names in KNOWN.items() for name in names.split()]


def test_the_table_has_the_tools_of_many_servers() -> None:
    assert len({name for name, _ in NAMES}) >= 250


@pytest.mark.parametrize(("name", "action"), NAMES)
def test_a_tool_of_a_public_server_is_suggested_as(name: str, action: str) -> None:
    assert suggestion({"name": name}).action == action


@pytest.mark.parametrize(
    ("name", "annotations", "action", "source"),
    [
        ("get_issue", None, "read", "the verb `get`"),
        ("getIssue", {}, "read", "the verb `get`"),
        ("files.list", None, "read", "the verb `list`"),
        ("Files/ListAll", None, "read", "the verb `list`"),
        ("issue-create", None, "write", "the verb `create`"),
        ("HTTPDelete", None, "delete", "the verb `delete`"),
        ("DELETEfile", None, "delete", "the verb `delete`"),
        ("getDELETEfile", None, "delete", "the verb `delete`"),
        ("READ_FILE", None, "read", "the verb `read`"),
        ("runQuery", None, "execute", "in the name"),
        ("status_update", None, "write", "the verb `update`"),
        ("view_delete", None, "delete", "the verb `delete`"),
        ("list_and_purge", None, "delete", "the verb `purge`"),
        ("get_or_create_user", None, "write", "the verb `create`"),
        ("check_out", None, "write", "the verb `checkout`"),
        ("shows_then_deletes_file", None, "delete", "the verb `delete`"),
        ("copies_of_list", None, "read", "the verb `list`"),
        ("get_deleted_items", None, "read", "the verb `get`"),
        ("\uff44\uff45\uff4c\uff45\uff54\uff45_list", None, "delete", "the verb `delete`"),
        ("get_l\u00f6schen", None, "unknown", "unreadable letters"),
        ("weather", None, "unknown", "no known verb"),
        ("weather", READ_ONLY, "unknown", "readOnlyHint=true is not trusted"),
        ("weather", {"readOnlyHint": False}, "unknown", "and the annotation readOnlyHint=false"),
        ("weather", {"destructiveHint": True}, "unknown", "and the annotation destructiveHint=true"),
        ("get_issue", READ_ONLY, "read", "readOnlyHint=true is not trusted"),
        ("delete_issue", READ_ONLY, "delete", "readOnlyHint=true is not trusted"),
        ("get_issue", {"readOnlyHint": False}, "unknown", "against the annotation readOnlyHint=false"),
        ("get_issue", {"destructiveHint": True}, "delete", "made worse by the annotation destructiveHint=true"),
        ("get_issue", {"destructiveHint": False}, "read", "the verb `get`"),
        ("get_issue", {"openWorldHint": True}, "send", "made worse by the annotation openWorldHint=true"),
        ("delete_issue", {"openWorldHint": True}, "delete", "and the annotation"),
        ("write_file", {"destructiveHint": True}, "delete", "made worse by"),
        ("weather", {"readOnlyHint": "true"}, "unknown", "no known verb"),
        ("get_issue", {"readOnlyHint": 0, "destructiveHint": 1}, "read", "the verb `get`"),
        ("weather", [], "unknown", "no known verb"),
        ("", None, "unknown", "no known verb"),
    ],
)
def test_a_suggestion_comes_with_its_source(name: str, annotations: Any, action: str, source: str) -> None:
    found = suggestion({"name": name, "annotations": annotations})
    assert found.action == action
    assert source in found.source


def harm(name: str, annotations: Any = None, *, believed: bool = False) -> int:
    found = suggestion({"name": name, "annotations": annotations}, believe_annotations=believed)
    return HARM.index(found.action)


PIECES = st.sampled_from([*CLASS_OF, "issue", "workflow", "job", "out", "up", "back", "file", "1", "items"])
JOINTS = st.sampled_from(["_", "-", ".", " ", "/", ""])


@given(st.lists(PIECES, min_size=1, max_size=5), st.sampled_from(sorted(CLASS_OF)), st.integers(0, 5), JOINTS)
def test_one_more_verb_never_makes_a_name_milder(pieces: list[str], verb: str, at: int, joint: str) -> None:
    more = [*pieces[:at], verb, *pieces[at:]]
    before, after = (_joined(each, joint) for each in (pieces, more))
    assert harm(after) >= HARM.index(CLASS_OF[verb])
    if suggestion({"name": before}).action != "unknown":
        assert harm(after) >= harm(before)


def _joined(pieces: list[str], joint: str) -> str:
    """Return a name in snake, kebab or dotted case; in camel case for the empty joint."""
    return joint.join(pieces) if joint else pieces[0] + "".join(each.capitalize() for each in pieces[1:])


@given(st.sampled_from(NAMES), st.sampled_from(sorted(CLASS_OF)), st.booleans())
def test_one_more_verb_never_makes_a_known_tool_milder(tool: tuple[str, str], verb: str, first: bool) -> None:
    name = f"{verb}_{tool[0]}" if first else f"{tool[0]}_{verb}"
    assert tool[1] == "unknown" or harm(name) >= HARM.index(tool[1])


HINTS = st.dictionaries(
    st.sampled_from(["readOnlyHint", "destructiveHint", "openWorldHint", "idempotentHint"]),
    st.sampled_from([True, False, None, "true", 1]),
)


@given(st.sampled_from(NAMES).map(lambda each: each[0]) | st.text(), HINTS)
def test_no_claim_of_a_server_makes_a_suggestion_milder(name: str, hints: dict[str, Any]) -> None:
    assert harm(name, hints) >= harm(name)


@given(st.sampled_from(NAMES).map(lambda each: each[0]) | st.text())
def test_a_believed_claim_is_about_unknown_names_only(name: str) -> None:
    claimed = suggestion({"name": name, "annotations": READ_ONLY}, believe_annotations=True).action
    assert claimed == suggestion({"name": name}).action or (claimed == "read" and harm(name) == HARM.index("unknown"))


@pytest.mark.parametrize(("believed", "action"), [("true", "read"), ("false", "unknown")])
def test_a_catalog_says_whether_the_annotations_are_believed(believed: str, action: str) -> None:
    tools = [{"name": "weather", "inputSchema": {}, "annotations": READ_ONLY}]
    lists: dict[str, list[dict[str, Any]]] = {"tools/list": tools, "prompts/list": [], "resources/list": []}
    survey = Survey(url="", revision="", name="", title="", version="", lists={**lists, "resources/templates/list": []})
    entry = read_entry(f"server: w\nurl: https://w.example/mcp\nowner: a\nbelieve_annotations: {believed}\n")
    renew(entry, listed(survey)[0])
    found = read_document("w.yaml", written(entry).encode())
    assert isinstance(found, Document)
    assert found.value["tools"]["weather"]["action"] == action
