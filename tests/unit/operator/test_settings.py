"""Settings: what is wrong is told at once, in lines that name the variable and what is right, without any secret."""

import traceback

import pytest

from usher_operator.settings import ENV_PREFIX, Settings, SettingsInvalid, load

URL = "postgresql+psycopg://usher:hunter22@db:5432/usher"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment with the one variable that has no default."""
    for name in Settings.model_fields:
        monkeypatch.delenv(ENV_PREFIX + name.upper(), raising=False)
    monkeypatch.setenv("USHER_DATABASE_URL", URL)
    return monkeypatch


def wrong(environment: pytest.MonkeyPatch, **variables: str) -> list[str]:
    for name, value in variables.items():
        environment.setenv(ENV_PREFIX + name, value)
    with pytest.raises(SettingsInvalid) as refused:
        load()
    return str(refused.value).splitlines()


@pytest.mark.usefixtures("environment")
def test_the_database_is_all_that_must_be_set() -> None:
    settings = load()
    assert settings.database_url.get_secret_value() == URL
    assert (settings.namespaces, settings.redis_url.get_secret_value()) == (("usher-bots",), "")


@pytest.mark.usefixtures("environment")
def test_the_defaults_are_those_of_the_design() -> None:
    settings = load()
    limits = (settings.reserved_timeout_s, settings.starting_timeout_s, settings.heartbeat_timeout_s)
    assert limits == (300, 600, 120)
    assert settings.stopping_timeout_s == 300
    assert (settings.api_port, settings.callback_port, settings.token_audience) == (8080, 8081, "usher-callback")


def test_a_missing_database_is_named_with_what_it_must_be(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("USHER_DATABASE_URL")
    (line,) = wrong(environment)
    assert line.startswith("USHER_DATABASE_URL: is not set (SQLAlchemy URL of the Postgres database: ")
    assert "postgresql+psycopg://user:password@host:5432/name" in line


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("DATABASE_URL", "postgres://usher:hunter22@db/usher", "must look like postgresql+psycopg://"),
        ("DATABASE_URL", "", "must look like postgresql+psycopg://"),
        ("DATABASE_POOL_SIZE", "3", "greater than or equal to 4"),
        ("DATABASE_POOL_SIZE", "many", "valid integer"),
        ("DATABASE_POOLER", "statement", "'none', 'session' or 'transaction'"),
        ("DATABASE_SESSION_URL", "postgres://usher:hunter22@db/usher", "must look like postgresql+psycopg://"),
        ("REDIS_URL", "http://:hunter22@redis", "must look like redis://host:6379/0, or be empty"),
        ("BOT_REDIS_URL", "redis", "must look like redis://host:6379/0, or be empty"),
        ("REDIS_URL", "redis://:hunter22@redis:port/0", "must look like redis://host:6379/0, or be empty"),
        ("REDIS_URL", "redis://:hun/ter22@redis/0", "encode signs of the password"),
        ("REDIS_URL", "redis:///0", "must look like redis://host:6379/0"),
        ("BOT_REDIS_URL", "unix:///run/redis.sock", "must look like redis://host:6379/0"),
        ("DATABASE_URL", "postgresql+psycopg://usher:hunter22@db:port/usher", "must look like postgresql+psycopg://"),
        ("CALLBACK_URL", "usher-callbacks:8081", "must look like http://usher-callbacks:8081"),
        ("CALLBACK_URL", "http://usher-callbacks:0", "must look like http://usher-callbacks:8081"),
        ("CALLBACK_URL", "http://usher-callbacks:x", "must look like http://usher-callbacks:8081"),
        ("MEDIA_UPSTREAM", "http://", "must look like http://service:8080"),
        ("NAMESPACES", " , ", "name at least one namespace"),
        ("BOT_IMAGE_PULL_POLICY", "Sometimes", "'Always', 'IfNotPresent' or 'Never'"),
        ("DEFAULT_DRIVER", "chrome", "'browser', 'exec' or 'simulated'"),
        ("BROWSER_OPTIONS", "headless", "must be a JSON object"),
        ("BROWSER_OPTIONS", "[]", "valid dictionary"),
        ("BROWSER_RESOURCES", "8Gi", "must be a JSON object"),
        ("HEARTBEAT_INTERVAL_S", "0", "greater than or equal to 0.1"),
        ("HEARTBEAT_INTERVAL_S", "soon", "valid number"),
        ("RESERVED_TIMEOUT_S", "-1", "greater than 0"),
        ("STARTING_TIMEOUT_S", "0", "greater than 0"),
        ("STOPPING_TIMEOUT_S", "0", "greater than 0"),
        ("LEAVE_GRACE_S", "0", "greater than 0"),
        ("TERMINATION_GRACE_S", "601", "less than or equal to 600"),
        ("DURATION_GRACE_S", "29", "greater than or equal to 30"),
        ("RECONCILE_INTERVAL_S", "0", "greater than 0"),
        ("ORPHAN_GRACE_S", "0", "greater than 0"),
        ("STATUS_WRITE_INTERVAL_S", "0", "greater than 0"),
        ("STATUS_WRITE_DELAY_S", "0", "greater than 0"),
        ("API_PORT", "65536", "less than or equal to 65535"),
        ("CALLBACK_PORT", "http", "valid integer"),
        ("OPERATE_PORT", "-1", "greater than or equal to 0"),
        ("DRAIN_S", "-1", "greater than or equal to 0"),
        ("SHUTDOWN_TIMEOUT_S", "0", "greater than 0"),
        ("ADMIN_API_KEY", "short", "at least 16 printable ASCII characters, or be empty"),
        ("MEDIA_UPSTREAM", "media:8080", "must look like http://service:8080, or be empty"),
        ("BOT_REDIS_SECRET", "x" * 31, "must have at least 32 characters, or be empty"),
        ("LOG_FORMAT", "xml", "'json' or 'text'"),
        ("LOG_LEVEL", "LOUD", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_right(
    environment: pytest.MonkeyPatch, name: str, value: str, right: str
) -> None:
    (line,) = wrong(environment, **{name: value})
    assert line.startswith(f"USHER_{name}: ")
    assert right in line


def test_every_number_that_is_no_number_is_named(environment: pytest.MonkeyPatch) -> None:
    numbers = [name for name, field in Settings.model_fields.items() if field.annotation in (int, float)]
    assert len(numbers) > 15
    for name in numbers:
        environment.setenv(ENV_PREFIX + name.upper(), "x")
    assert [line.partition(":")[0] for line in wrong(environment)] == [ENV_PREFIX + name.upper() for name in numbers]


NUMBERS = [name for name, field in Settings.model_fields.items() if field.annotation in (int, float)]


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e15", "1000000000000000", "-1", "-0.5"])
@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_is_bounded_on_both_sides(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Postgres' intervals, Kubernetes' integers and a process's timers all end somewhere."""
    (line,) = wrong(environment, **{name.upper(): value})
    assert line.startswith(f"USHER_{name.upper()}: ")


def test_the_schema_of_the_chart_bounds_every_number() -> None:
    schema = Settings.model_json_schema()["properties"]
    assert [name for name in NUMBERS if not {"maximum"} <= schema[name].keys()] == []


def test_a_socket_is_no_redis_that_bots_can_reach(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("USHER_BOT_REDIS_SECRET", "x" * 32)
    (line,) = wrong(environment, REDIS_URL="unix:///run/redis.sock")
    assert "USHER_BOT_REDIS_URL is needed" in line
    environment.setenv("USHER_BOT_REDIS_URL", "redis://redis:6379/0")
    assert load().redis_url.get_secret_value() == "unix:///run/redis.sock"


def test_all_problems_are_told_at_once(environment: pytest.MonkeyPatch) -> None:
    assert len(wrong(environment, DATABASE_URL="mysql://x", API_PORT="x", LOG_FORMAT="xml")) == 3


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_duration_is_a_number_of_seconds_that_ends(environment: pytest.MonkeyPatch, value: str) -> None:
    (line,) = wrong(environment, RECONCILE_INTERVAL_S=value)
    assert line.startswith("USHER_RECONCILE_INTERVAL_S: ")


def test_a_heartbeat_timeout_that_one_lost_beat_would_reach_is_refused(environment: pytest.MonkeyPatch) -> None:
    (line,) = wrong(environment, HEARTBEAT_INTERVAL_S="30", HEARTBEAT_TIMEOUT_S="59")
    assert "USHER_HEARTBEAT_TIMEOUT_S must be at least twice USHER_HEARTBEAT_INTERVAL_S" in line


def test_a_pooler_in_transaction_mode_needs_the_url_of_postgres_itself(environment: pytest.MonkeyPatch) -> None:
    (line,) = wrong(environment, DATABASE_POOLER="transaction")
    assert "USHER_DATABASE_POOLER=transaction needs USHER_DATABASE_SESSION_URL, the URL of Postgres itself" in line
    environment.setenv("USHER_DATABASE_SESSION_URL", URL)
    assert load().database_pooler == "transaction"


def test_users_for_bots_need_a_redis_whose_user_makes_them(environment: pytest.MonkeyPatch) -> None:
    (line,) = wrong(environment, BOT_REDIS_SECRET="x" * 32)
    assert "USHER_BOT_REDIS_SECRET needs USHER_REDIS_URL, whose user makes the users of bots" in line
    environment.setenv("USHER_REDIS_URL", "redis://redis:6379/0")
    assert load().bot_redis_secret.get_secret_value() == "x" * 32


def test_lists_are_written_with_commas(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("USHER_NAMESPACES", "bots, more-bots,")
    environment.setenv("USHER_ALLOWED_IMAGES", "example.org/*,usher.dev/bot:v?")
    settings = load()
    assert settings.namespaces == ("bots", "more-bots")
    assert settings.allowed_images == ("example.org/*", "usher.dev/bot:v?")


@pytest.mark.parametrize("value", ["much", "-1", "1Gb", ""])
def test_a_maximum_that_is_no_quantity_is_refused(environment: pytest.MonkeyPatch, value: str) -> None:
    (line,) = wrong(environment, BOT_MAX_MEMORY=value)
    assert line.startswith("USHER_BOT_MAX_MEMORY:")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgres://usher:hunter22@db/usher"),
        ("DATABASE_URL", "hunter22"),
        ("DATABASE_URL", "postgresql+psycopg://usher:hunter22@[db/usher"),
        ("DATABASE_URL", "postgresql+psycopg://usher:hunter22\u2100@db/usher"),
        ("REDIS_URL", "http://:hunter22@redis"),
        ("BOT_REDIS_URL", "hunter22\u2100://:hunter22\u2100@redis"),
    ],
)
def test_a_wrong_secret_is_not_repeated_even_in_the_traceback(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    environment.setenv(ENV_PREFIX + name, value)
    with pytest.raises(SettingsInvalid) as refused:
        load()
    assert "hunter22" not in "".join(traceback.format_exception(refused.value))


def test_another_wrong_variable_does_not_show_the_database(environment: pytest.MonkeyPatch) -> None:
    lines = wrong(environment, HEARTBEAT_TIMEOUT_S="1")
    assert "hunter22" not in "\n".join(lines)


def test_settings_do_not_show_their_secrets(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("USHER_REDIS_URL", "redis://:hunter22@redis:6379/0")
    environment.setenv("USHER_BOT_REDIS_URL", "redis://bot:hunter22@redis:6379/0")
    settings = load()
    assert "hunter22" not in repr(settings) + str(settings) + settings.model_dump_json()


def test_every_setting_says_what_it_means() -> None:
    undescribed = [name for name, field in Settings.model_fields.items() if not (field.description or "").strip()]
    assert undescribed == []
