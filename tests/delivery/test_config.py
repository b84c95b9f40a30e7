"""The connector file: what is read, what is refused, and that a refusal names file, connector and key and no value."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rollback_audit.delivery.config import Configuration, load
from rollback_audit.delivery.contract import Egress, Limits

KEY = b"digest key of the tests"
SIGNING = "whsec_" + "QUJD" * 10
ENVIRON = {
    "SPLUNK_TOKEN": "hec-token-value",
    "SIGNING": SIGNING,
    "HOOK_URL": "https://hooks.example.com/services/T0/hush",
}
SPLUNK = {"url": "https://splunk.example.com:8088", "token_env": "SPLUNK_TOKEN", "index": "audit"}
WEBHOOK = {"url": "https://hooks.example.com/cavra", "secret_env": "SIGNING"}

Write = Callable[..., Configuration]


@pytest.fixture
def read(tmp_path: Path) -> Write:
    """Write a file of connectors and read it."""

    def read(connectors: Any, *, environ: dict[str, str] | None = None, key: bytes = KEY) -> Configuration:
        path = tmp_path / "connectors.json"
        path.write_text(json.dumps({"connectors": connectors}))
        return load(path, environ=ENVIRON if environ is None else environ, digest_key=key)

    return read


def test_without_a_file_there_are_no_connectors_and_no_problems() -> None:
    configuration = load(None, environ={}, digest_key=KEY)
    assert (configuration.settings, configuration.problems, configuration.is_stale()) == ({}, (), False)


JSON = json.dumps(
    {"connectors": {"splunk": SPLUNK, "audit-hook": {"provider": "webhook", "enabled": False, **WEBHOOK}}}
)
TOML = """
[connectors.splunk]
url = "https://splunk.example.com:8088"
token_env = "SPLUNK_TOKEN"
index = "audit"
[connectors.audit-hook]
provider = "webhook"
enabled = false
url = "https://hooks.example.com/cavra"
secret_env = "SIGNING"
"""
YAML = """
connectors:
  splunk: {url: "https://splunk.example.com:8088", token_env: SPLUNK_TOKEN, index: audit}
  audit-hook:
    provider: webhook
    enabled: false
    url: https://hooks.example.com/cavra
    secret_env: SIGNING
"""


@pytest.mark.parametrize(("name", "text"), [("c.json", JSON), ("c.toml", TOML), ("c.yaml", YAML), ("c.yml", YAML)])
def test_json_toml_and_yaml_say_the_same(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    configuration = load(tmp_path / name, environ=ENVIRON, digest_key=KEY)
    assert configuration.problems == ()
    splunk, hook = configuration.settings["splunk"], configuration.settings["audit-hook"]
    assert (splunk.name, splunk.provider, splunk.enabled, splunk.egress) == ("splunk", "splunk", True, Egress())
    assert (splunk.url, splunk.secrets, splunk.options) == (
        "https://splunk.example.com:8088",
        {"token": "hec-token-value"},
        {"index": "audit"},
    )
    assert (hook.provider, hook.enabled, hook.secrets) == ("webhook", False, {"secret": SIGNING})
    # One canonical form, so one digest, whatever the file's format and order.
    (tmp_path / "again.json").write_text(json.dumps(json.loads(JSON), sort_keys=True))
    again = load(tmp_path / "again.json", environ=ENVIRON, digest_key=KEY)
    assert [settings.digest for settings in (splunk, hook)] == [
        again.settings[settings.name].digest for settings in (splunk, hook)
    ]


def test_a_url_and_secrets_come_from_files_without_their_last_newline(read: Write, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("https://hooks.example.com/hush\n")
    (tmp_path / "secret").write_text(f"{SIGNING}\n")
    (tmp_path / "old").write_text(SIGNING)
    hook = read(
        {
            "hook": {
                "provider": "webhook",
                "url_file": "url",
                "secret_file": str(tmp_path / "secret"),
                "previous_secret_file": "old",
            }
        }
    ).settings["hook"]
    assert hook.url == "https://hooks.example.com/hush"
    assert hook.secrets == {"secret": SIGNING, "previous_secret": SIGNING}


def test_egress_and_headers_are_read(read: Write, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n")
    hook = read(
        {
            "webhook": {
                "url": "http://10.0.0.5:9000/x",
                "secret_env": "SIGNING",
                "allow_networks": ["10.0.0.0/24", "fd00:1::/64"],
                "allow_ports": [9000],
                "allow_plain_http": True,
                "ca_file": "ca.pem",
                "headers": {"X-Team": "audit", "X-A": "1"},
            }
        }
    ).settings["webhook"]
    assert hook.egress == Egress(
        allow_networks=("10.0.0.0/24", "fd00:1::/64"),
        allow_ports=(9000,),
        allow_plain_http=True,
        ca_file=str(tmp_path / "ca.pem"),
    )
    assert hook.headers == (("X-A", "1"), ("X-Team", "audit"))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("c.json", None, "cannot be read"),
        ("c.json", b"{", "not valid JSON"),
        ("c.json", b"[" * 100_000, "not valid JSON"),
        ("c.json", b"\xff\xfe", "not UTF-8"),
        ("c.json", b"[]", "top level"),
        ("c.json", b'{"connectors": {"a": 1, "a": 2}}', "twice"),
        ("c.yaml", b"connectors: {a: {}, a: {}}", "twice"),
        ("c.yaml", b"a: [", "not valid YAML"),
        ("c.yaml", b"a: !!python/object/apply:os.system [ls]", "not valid YAML"),
        ("c.yaml", b"? [a]\n: 1", "not valid YAML"),
        ("c.toml", b"a = ", "not valid TOML"),
        ("c.ini", b"", "must end in"),
        ("c.json", b" " * 1_048_577, "over 1 MiB"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_problem(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    configuration = load(tmp_path / name, environ={}, digest_key=KEY)
    (problem,) = configuration.problems
    assert (problem.file, problem.connector, problem.key) == (name, None, "file")
    assert said in problem.problem
    assert configuration.settings == {}


@pytest.mark.parametrize(
    ("document", "key"),
    [({}, "connectors"), ({"connectors": []}, "connectors"), ({"connectors": {}, "conectors": {}}, "conectors")],
)
def test_the_top_level_holds_connectors_and_nothing_else(tmp_path: Path, document: object, key: str) -> None:
    (tmp_path / "c.json").write_text(json.dumps(document))
    (problem,) = load(tmp_path / "c.json", environ={}, digest_key=KEY).problems
    assert (problem.connector, problem.key) == (None, key)


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"color": "red"}, "color"),
    ({"col\nor": "red"}, "col?or"),
    ({"provider": "splnk"}, "provider"),
    ({"provider": 1}, "provider"),
    ({"enabled": "false"}, "enabled"),
    ({"enabled": 1}, "enabled"),
    ({"allow_plain_http": "yes"}, "allow_plain_http"),
    ({"url": None}, "url"),
    ({"url": ""}, "url"),
    ({"url": 5}, "url"),
    ({"url_env": "HOOK_URL"}, "url"),
    ({"url": None, "url_env": "NOT_SET"}, "url_env"),
    ({"url": None, "url_file": "missing"}, "url_file"),
    ({"url": "ftp://hooks.example.com/"}, "url"),
    ({"url": "https://me:hush@hooks.example.com/"}, "url"),
    ({"url": "https://hooks.example.com/\u00e9"}, "url"),
    ({"url": "https://hooks.example.com/?token=hush"}, "url"),
    ({"url": "https://hooks.example.com/?a=1&X-Amz-Signature=hush"}, "url"),
    ({"url": "http://hooks.example.com/"}, "url"),
    ({"url": "https://hooks.example.com:22/"}, "allow_ports"),
    ({"url": "https://127.0.0.1/"}, "allow_networks"),
    ({"url": "https://[::1]/"}, "allow_networks"),
    ({"url": "https://169.254.169.254/", "allow_networks": ["169.254.0.0/16"]}, "allow_networks"),
    ({"secret": "hush"}, "secret"),
    ({"token": "hush"}, "token"),
    ({"api_key": "hush"}, "api_key"),
    ({"password": "hush"}, "password"),
    ({"Authorization": "hush"}, "Authorization"),
    ({"secret_env": None}, "secret"),
    ({"secret_env": "NOT_SET"}, "secret_env"),
    ({"secret_env": "HOOK_URL"}, "secret"),
    ({"secret_file": "missing"}, "secret_file"),
    ({"previous_secret_env": "SPLUNK_TOKEN"}, "previous_secret"),
    ({"token_env": 7}, "token_env"),
    ({"index": "audit"}, "index"),
    ({"headers": []}, "headers"),
    ({"headers": {"X-A": 1}}, "headers.X-A"),
    ({"headers": {"X A": "1"}}, "headers.X A"),
    ({"headers": {"X-A": "1", "x-a": "2"}}, "headers"),
    ({"headers": {"X-A": "1\r\nX-B: 2"}}, "headers.X-A"),
    ({"headers": {"X-A\r\nX-B": "1"}}, "headers"),
    ({"headers": {"Authorization": "hush"}}, "headers.Authorization"),
    ({"headers": {"X-API-Key": "hush"}}, "headers.X-API-Key"),
    ({"headers": {"Cookie": "hush"}}, "headers.Cookie"),
    ({"headers": {"X-Forward": "Bearer hush"}}, "headers.X-Forward"),
    ({"headers": {"Host": "example.com"}}, "headers.Host"),
    ({"headers": {"Content-Length": "0"}}, "headers.Content-Length"),
    ({"headers": {"Webhook-Id": "1"}}, "headers.Webhook-Id"),
    ({"allow_networks": "10.0.0.0/8"}, "allow_networks"),
    ({"allow_networks": ["10.0.0.1/8"]}, "allow_networks"),
    ({"allow_networks": ["everything"]}, "allow_networks"),
    ({"allow_networks": [10]}, "allow_networks"),
    ({"allow_ports": ["443"]}, "allow_ports"),
    ({"allow_ports": [True]}, "allow_ports"),
    ({"allow_ports": [0]}, "allow_ports"),
    ({"allow_ports": [65_536]}, "allow_ports"),
    ({"ca_file": "missing.pem"}, "ca_file"),
    ({"ca_file": "connectors.json"}, "ca_file"),
    ({"authorization_scheme": "a\u00e9"}, "authorization_scheme"),
    ({"api_key_header": "X Key"}, "api_key_header"),
]


@pytest.mark.parametrize(("change", "key"), BROKEN, ids=[f"{key}-{number}" for number, (_, key) in enumerate(BROKEN)])
def test_a_broken_connector_is_named_with_its_key_and_the_others_work(
    read: Write, change: dict[str, Any], key: str
) -> None:
    configuration = read({"hook": {"provider": "webhook", **WEBHOOK, **change}, "splunk": SPLUNK})
    (problem,) = configuration.problems
    assert (problem.file, problem.connector, problem.key) == ("connectors.json", "hook", key)
    assert "hush" not in str(problem)
    assert SIGNING not in str(problem)
    assert list(configuration.settings) == ["splunk"]
    assert str(problem).startswith(f"connectors.json: connectors.hook.{key} ")


@pytest.mark.parametrize("name", ["", "Splunk", "-a", "a b", "a" * 64, "caf\u00e9", "a/b", "a\n"])
def test_a_name_that_is_none_is_refused(read: Write, name: str) -> None:
    (problem,) = read({name: {"provider": "webhook", **WEBHOOK}}).problems
    assert problem.key == "name"
    assert str(problem).isprintable()


def test_a_connector_that_is_no_table_is_refused(read: Write) -> None:
    (problem,) = read({"hook": "https://example.com/"}).problems
    assert (problem.connector, problem.key) == ("hook", "connector")


def test_a_splunk_without_a_token_is_refused(read: Write) -> None:
    (problem,) = read({"splunk": {"url": "https://splunk.example.com:8088"}}).problems
    assert (problem.connector, problem.key) == ("splunk", "token")


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines", b"\xff\xfe", b"nul\x00", b"x" * 65_537])
def test_a_secret_file_that_holds_no_secret_is_refused(read: Write, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    (problem,) = read({"splunk": {"url": SPLUNK["url"], "token_file": "token"}}).problems
    assert (problem.connector, problem.key) == ("splunk", "token_file")


@pytest.mark.parametrize(
    "change",
    [
        {"index": "other"},
        {"url": "https://other.example.com:8088"},
        {"enabled": False},
        {"headers": {"X-A": "1"}},
        {"allow_networks": ["10.0.0.0/8"]},
        {"allow_ports": [1]},
        {"allow_plain_http": True},
    ],
)
def test_the_digest_changes_with_every_key(read: Write, change: dict[str, Any]) -> None:
    before = read({"splunk": SPLUNK}).settings["splunk"].digest
    assert read({"splunk": SPLUNK}).settings["splunk"].digest == before
    assert read({"splunk": {**SPLUNK, **change}}).settings["splunk"].digest != before


def test_the_digest_changes_with_a_secret_and_is_keyed(read: Write) -> None:
    before = read({"splunk": SPLUNK}).settings["splunk"].digest
    assert len(before) == 64
    assert read({"splunk": SPLUNK}, environ={"SPLUNK_TOKEN": "another"}).settings["splunk"].digest != before
    assert read({"splunk": SPLUNK}, key=b"another").settings["splunk"].digest != before


def test_a_configuration_is_stale_once_a_file_it_read_changes_comes_or_goes(read: Write, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    connectors = {"splunk": {"url": SPLUNK["url"], "token_file": "token"}}
    missing = read(connectors)
    assert not missing.is_stale()
    secret.write_text("one")
    assert missing.is_stale()
    present = read(connectors)
    assert not present.is_stale()
    secret.write_text("three")
    assert present.is_stale()
    gone = read(connectors)
    (tmp_path / "connectors.json").unlink()
    assert gone.is_stale()


def test_no_secret_shows_when_settings_are_printed(read: Write) -> None:
    configuration = read(
        {"splunk": SPLUNK, "hook": {"provider": "webhook", "url_env": "HOOK_URL", "secret_env": "SIGNING"}}
    )
    assert configuration.problems == ()
    assert not [value for value in (*ENVIRON.values(), "hush", "splunk.example.com") if value in repr(configuration)]


def test_a_connectors_limits_are_read_and_change_nothing_that_is_approved(read: Write) -> None:
    unlimited = read({"webhook": WEBHOOK}).settings["webhook"]
    limited = read({"webhook": WEBHOOK | {"requests_per_second": 2, "max_concurrency": 4, "circuit_threshold": 3}})
    assert unlimited.limits == Limits()
    assert limited.settings["webhook"].limits == Limits(2.0, 4, 3)
    assert limited.settings["webhook"].digest == unlimited.digest


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("requests_per_second", 0),
        ("requests_per_second", "5"),
        ("requests_per_second", True),
        ("max_concurrency", 0),
        ("max_concurrency", 1.5),
        ("circuit_threshold", 10_001),
        ("circuit_window_seconds", -1),
        ("circuit_open_seconds", "60"),
    ],
)
def test_a_limit_out_of_bounds_is_refused_by_its_key(read: Write, key: str, value: object) -> None:
    (problem,) = read({"webhook": WEBHOOK | {key: value}}).problems
    assert problem.key == key
