"""The environment is read strictly, and its values are never repeated."""

from pathlib import Path

import pytest

from cavra_site import database, env


def test_an_empty_environment_gives_the_defaults() -> None:
    environment = env.read({})
    assert environment.home == env.BASE_DIR / ".cavra"
    assert environment.port == 8000
    assert (environment.four_eyes, environment.second_approver_above) == ("on", 100)
    assert environment.debug is False
    assert environment.database_url is None


def test_a_variable_nobody_knows_stops_the_start_and_is_named() -> None:
    with pytest.raises(env.EnvironmentProblem, match=r"^CAVRA_PROT: no such setting"):
        env.read({"CAVRA_PROT": "hunter2", "PATH": "/bin"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CAVRA_ALLOWED_HOSTS", "https://hunter2/"),
        ("CAVRA_ALLOWED_HOSTS", ""),
        ("CAVRA_CONNECTOR_CONFIG", ""),
        ("CAVRA_DATABASE_URL", "mysql://hunter2"),
        ("CAVRA_DATABASE_URL", "postgresql://u:hunter2@h:99999/n"),
        ("CAVRA_DATABASE_URL", "postgresql://u:hunter2@h/n?sslmoed=require"),
        ("CAVRA_DATABASE_URL", "postgresql://u:hunter2@h/n?sslmode"),
        ("CAVRA_DATABASE_URL", "postgresql://u:hunter2@[h/n"),
        ("CAVRA_DATABASE_URL", "sqlite://hunter2"),
        ("CAVRA_DEBUG", "hunter2"),
        ("CAVRA_FOUR_EYES", "true"),
        ("CAVRA_FOUR_EYES", "Strict"),
        ("CAVRA_SECOND_APPROVER_ABOVE", "-1"),
        ("CAVRA_SECOND_APPROVER_ABOVE", "1000001"),
        ("CAVRA_SECOND_APPROVER_ABOVE", "off"),
        ("CAVRA_HOME", "hunter2\0"),
        ("CAVRA_HTTPS", ""),
        ("CAVRA_LOG_LEVEL", "hunter2"),
        ("CAVRA_PORT", "hunter2"),
        ("CAVRA_PORT", "0"),
        ("CAVRA_PORT", "65536"),
        ("CAVRA_PORT", " 80"),
        ("CAVRA_REDIS_URL", "http://hunter2"),
        ("CAVRA_TRUSTED_ORIGINS", "hunter2"),
        ("CAVRA_USER_RATE", "hunter2"),
    ],
)
def test_a_value_not_understood_names_the_variable_and_never_the_value(name: str, value: str) -> None:
    with pytest.raises(env.EnvironmentProblem, match=f"^{name}: ") as problem:
        env.read({name: value})
    assert "hunter2" not in str(problem.value)
    assert problem.value.__cause__ is None
    assert "\n" not in str(problem.value)


def test_a_postgresql_address_is_taken_apart() -> None:
    address = database.parse("postgresql://user:p%40ss@db.example.org:6432/cavra?sslmode=verify-full")
    assert address == database.PostgresAddress(
        host="db.example.org",
        port=6432,
        name="cavra",
        user="user",
        password="p@ss",
        options={"sslmode": "verify-full"},
    )
    assert "p@ss" not in repr(address)


def test_a_unix_socket_is_named_by_the_host_option() -> None:
    address = database.parse("postgresql:///cavra?host=/run/postgresql")
    assert isinstance(address, database.PostgresAddress)
    assert address.host == "/run/postgresql"
    assert address.options == {}


def test_only_processes_that_do_not_fork_pool_their_connections(tmp_path: Path) -> None:
    address = database.parse("postgresql://user:secret@127.0.0.1/cavra?sslmode=require")
    pooled = database.django_settings(address, pool_size=8, test_folder=tmp_path)
    forking = database.django_settings(address, pool_size=None, test_folder=tmp_path)
    assert pooled["OPTIONS"]["pool"]["max_size"] == 8
    assert pooled["CONN_MAX_AGE"] == 0
    assert forking["OPTIONS"]["pool"] is False
    for options in (pooled["OPTIONS"], forking["OPTIONS"]):
        assert "statement_timeout" in options["options"]
        assert options["sslmode"] == "require"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:////var/lib/cavra.sqlite3", Path("/var/lib/cavra.sqlite3")),
        ("sqlite:///data/cavra.sqlite3", env.BASE_DIR / "data/cavra.sqlite3"),
    ],
)
def test_a_sqlite_path_is_absolute_or_counts_from_the_checkout(url: str, path: Path) -> None:
    assert database.parse(url) == database.SqliteAddress(path)
