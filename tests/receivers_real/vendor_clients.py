"""Run by another Python, which has the vendors' own clients: send what stdin says, as the vendor's client does.

python vendor_clients.py PROVIDER BASE < JSON
"""

import json
import sys
from typing import Any


def elastic(base: str, given: dict[str, Any]) -> None:
    from elasticsearch import Elasticsearch

    client = Elasticsearch(base, api_key="hush-key")
    client.bulk(
        index=given["index"],
        operations=given["operations"],
        filter_path="errors,items.*.status,items.*.error.type",
    )
    client.search(
        index=given["index"],
        query={"ids": {"values": [given["operations"][0]["create"]["_id"]]}},
        size=0,
        track_total_hits=True,
        allow_partial_search_results=False,
        filter_path="timed_out,hits.total.value",
    )


def opensearch(base: str, given: dict[str, Any]) -> None:
    from opensearchpy import OpenSearch

    client = OpenSearch(base, http_auth=("hush-user", "hush-password"))
    client.bulk(
        index=given["index"],
        body=given["operations"],
        params={"filter_path": "errors,items.*.status,items.*.error.type"},
    )


def datadog(base: str, given: dict[str, Any]) -> None:
    from datadog_api_client import ApiClient, Configuration
    from datadog_api_client.v2.api.logs_api import LogsApi
    from datadog_api_client.v2.model.http_log import HTTPLog
    from datadog_api_client.v2.model.http_log_item import HTTPLogItem

    configuration = Configuration()
    configuration.api_key["apiKeyAuth"] = "hush-key"
    api = LogsApi(ApiClient(configuration))
    api._submit_log_endpoint.settings["servers"] = [{"url": base, "description": "", "variables": {}}]
    api.submit_log(HTTPLog([HTTPLogItem(**log) for log in given["logs"]]))


def sentinel(base: str, given: dict[str, Any]) -> None:
    from azure.core.credentials import AccessToken
    from azure.monitor.ingestion import LogsIngestionClient

    class Credential:
        def get_token(self, *scopes: str, **others: object) -> AccessToken:
            assert scopes == ("https://monitor.azure.com/.default",)
            return AccessToken("hush-access", 9_999_999_999)

    client = LogsIngestionClient(base, Credential())
    client.upload(rule_id=given["rule"], stream_name=given["stream"], logs=given["logs"], enforce_https=False)


def slack(base: str, given: dict[str, Any]) -> None:
    from slack_sdk.webhook import WebhookClient

    WebhookClient(base + given["path"]).send(text=given["message"]["text"], blocks=given["message"]["blocks"])


def pagerduty(base: str, given: dict[str, Any]) -> None:
    from pagerduty import EventsApiV2Client, RestApiV2Client

    events, rest = EventsApiV2Client("hush-routing"), RestApiV2Client("hush-rest")
    events._url, rest._url = base, f"{base}/rest"  # both insist on https
    rest.get("/incidents", params=given["question"])
    event = given["event"]
    events.send_event("trigger", dedup_key=event["dedup_key"], client=event["client"], payload=event["payload"])


def jira(base: str, given: dict[str, Any]) -> None:
    from jira import JIRA

    options = {"rest_api_version": "3"}
    client = JIRA(server=base, basic_auth=("hush@example.org", "hush-token"), options=options, get_server_info=False)
    client.deploymentType = "Cloud"
    question = given["question"]
    client.enhanced_search_issues(
        question["jql"], maxResults=question["maxResults"], fields=question["fields"], json_result=True, use_post=True
    )
    client.create_issue(fields=given["event"]["fields"], prefetch=False)


def servicenow(base: str, given: dict[str, Any]) -> None:
    from pysnc import ServiceNowClient

    client = ServiceNowClient("https://receiver.example.com", ("hush-user", "hush-word"))
    client._ServiceNowClient__instance = base  # it insists on https
    asked = client.GlideRecord("incident")
    asked.fields, asked.limit = ["sys_id", "correlation_id"], 1
    asked.add_query("correlation_id", given["event"]["correlation_id"])
    asked.query()
    stored = client.GlideRecord("incident")
    stored.initialize()
    for name, value in given["event"].items():
        stored.set_value(name, value)
    stored.insert()


CLIENTS = {
    "datadog": datadog,
    "elastic": elastic,
    "jira": jira,
    "opensearch": opensearch,
    "pagerduty": pagerduty,
    "sentinel": sentinel,
    "servicenow": servicenow,
    "slack": slack,
}

if __name__ == "__main__":
    CLIENTS[sys.argv[1]](sys.argv[2], json.load(sys.stdin))
