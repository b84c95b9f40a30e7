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


if __name__ == "__main__":
    {"elastic": elastic, "opensearch": opensearch, "datadog": datadog, "sentinel": sentinel}[sys.argv[1]](
        sys.argv[2], json.load(sys.stdin)
    )
