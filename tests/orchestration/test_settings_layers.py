from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.errors import SettingsError
from orchestration.settings import KafkaSettings, RedisSettings, Settings
from orchestration.settings_layers import LoadedSettings, leaves, load, shown, variable

KEYS = [key for key, _ in leaves(Settings())]


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    path = tmp_path / "line.settings.toml"
    path.write_text('[kafka]\nbootstrap_servers = "file:1"\n[ray]\ninspectors = 3\nframe_workers = 3\n')
    return path


def source_of(loaded: LoadedSettings, key: str) -> str:
    return next(origin.source for origin in loaded.origins() if origin.key == key)


def test_each_layer_overrides_the_one_before(toml: Path) -> None:
    environment = {"COILWATCH_KAFKA__BOOTSTRAP_SERVERS": "env:1", "COILWATCH_RAY__INSPECTORS": "4"}
    loaded = load(toml, {"ray.inspectors": 5, "ray.cpus": None}, environment)
    assert loaded.settings.kafka.bootstrap_servers == "env:1"
    assert (loaded.settings.ray.inspectors, loaded.settings.ray.frame_workers) == (5, 3)
    assert source_of(loaded, "ray.inspectors") == "option"
    assert source_of(loaded, "ray.frame_workers") == str(toml)
    assert source_of(loaded, "kafka.bootstrap_servers") == "environment COILWATCH_KAFKA__BOOTSTRAP_SERVERS"
    assert source_of(loaded, "kafka.embedded") == "kafka.bootstrap_servers is set"
    assert source_of(loaded, "ray.cpus") == "default"


def test_the_file_is_found(toml: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert load(environment={"COILWATCH_SETTINGS": str(toml)}).settings.ray.inspectors == 3
    monkeypatch.chdir(tmp_path)
    assert load(environment={}).settings == Settings()
    toml.rename("coilwatch.toml")
    assert source_of(load(environment={}), "ray.inspectors") == "coilwatch.toml"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"COILWATCH_KAFKA__BOOTSTRAP_SERVERS": "broker:9092"}, (False, True, True)),
        ({"COILWATCH_REDIS__URL": "rediss://cache:6380/0"}, (True, False, True)),
        ({"COILWATCH_RAY__ADDRESS": "head:6379"}, (True, True, False)),
        ({"COILWATCH_KAFKA__BOOTSTRAP_SERVERS": ""}, (True, True, True)),
    ],
    ids=["kafka", "redis", "ray", "empty"],
)
def test_a_named_server_is_not_embedded(
    environment: dict[str, str], expected: tuple[bool, bool, bool]
) -> None:
    settings = load(environment=environment).settings
    assert (settings.kafka.embedded, settings.redis.embedded, settings.ray.embedded) == expected


def test_embedded_can_be_asked_for_at_a_given_address() -> None:
    settings = load(
        options={"kafka.bootstrap_servers": "127.0.0.1:9192", "kafka.embedded": True}, environment={}
    )
    assert settings.settings.kafka.embedded


@pytest.mark.parametrize(
    ("content", "environment", "message"),
    [
        (
            "[kafka]\nbootstrap_server = 'a:1'",
            {},
            r"bootstrap_server; did you mean kafka.bootstrap_servers\?",
        ),
        ("[kafk]\nembedded = true", {}, "unknown setting kafk"),
        ("kafka = 3", {}, "unknown setting kafka"),
        ("[kafka", {}, "toml: "),
        ("[ray]\ninspectors = 0", {}, "toml: ray.inspectors: .*greater than or equal to 1"),
        ("", {"COILWATCH_RAY__INSPECTOR": "1"}, r"did you mean COILWATCH_RAY__INSPECTORS\?"),
        ("", {"COILWATCH_RAY__INSPECTORS": "two"}, "environment COILWATCH_RAY__INSPECTORS: .*'two'"),
        ("", {"COILWATCH_REDIS__URL": "http://x"}, "expected redis://, rediss:// or unix://"),
        (
            "",
            {"COILWATCH_KAFKA__BOOTSTRAP_SERVERS": "a:1,kafka"},
            r"BOOTSTRAP_SERVERS: kafka\.bootstrap_servers: expected HOST:PORT, got 'kafka'$",
        ),
        ("[ray]\naddress = 'auto'", {}, "toml: ray.address: expected HOST:PORT, got 'auto'$"),
    ],
    ids=[
        "key",
        "section",
        "section as value",
        "syntax",
        "value",
        "variable",
        "variable value",
        "url",
        "servers",
        "head",
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    content: str, environment: dict[str, str], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "given.toml"
    path.write_text(content)
    with pytest.raises(SettingsError, match=message):
        load(path, environment=environment)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="expected a TOML file, found none"):
        load(tmp_path / "absent.toml", environment={})


def test_unknown_options_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"option: unknown setting ray\.inspector;"):
        load(options={"ray.inspector": 1}, environment={})


def test_variables_that_are_no_settings_are_left_alone() -> None:
    assert load(environment={"COILWATCH_DATA": "/data"}).settings == Settings()


@given(password=st.text(st.characters(categories=["L", "N"])).map("s3cr3t".__add__))
def test_secrets_are_never_shown(password: str) -> None:
    environment = {
        "COILWATCH_KAFKA__SASL_PASSWORD": password,
        "COILWATCH_REDIS__URL": f"redis://user:{password}@host:1/0",
    }
    loaded = load(environment=environment)
    assert loaded.settings.kafka.connection().sasl_password is not None
    assert all(password not in origin.value for origin in loaded.origins() if origin.value != "********")
    assert password not in repr(loaded.settings.kafka)


@given(st.sampled_from(KEYS))
def test_every_setting_has_a_variable_of_its_own(key: str) -> None:
    with pytest.raises(SettingsError, match=variable(key) + "X; did you mean"):
        load(environment={variable(key) + "X": "1"})


def test_the_connection_carries_only_what_a_client_needs() -> None:
    kafka = KafkaSettings(bootstrap_servers="a:1", security_protocol="SASL_SSL", sasl_username="u")
    assert kafka.connection().client_options() == kafka.client_options()
    assert "embedded" not in kafka.connection().model_dump()


def test_redis_options_fit_the_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plain = RedisSettings(url="redis://a:1/0", tls_ca_file=Path("ca.pem"))
    secure = RedisSettings.model_validate({"url": "rediss://a:1/0", "password": "p", "tls_ca_file": "ca.pem"})
    Path("ca.pem").touch()
    assert plain.client_options() == {}
    assert secure.client_options() == {"password": "p", "ssl_ca_certs": str(Path("ca.pem").absolute())}


MISSING = "/no/such/file.pem"


@pytest.mark.parametrize(
    ("section", "values", "key"),
    [
        ("kafka", {"security_protocol": "SSL"}, "tls_ca_file"),
        ("kafka", {"security_protocol": "SSL"}, "tls_certificate_file"),
        ("kafka", {"security_protocol": "SASL_SSL"}, "tls_key_file"),
        ("redis", {"url": "rediss://a:1/0"}, "tls_ca_file"),
    ],
)
@pytest.mark.parametrize(
    ("embedded", "refused"), [(False, True), (True, False)], ids=["named server", "our own server"]
)
def test_files_of_named_servers_are_looked_for(
    section: str, values: dict[str, str], key: str, embedded: bool, refused: bool
) -> None:
    settings = Settings.model_validate({section: values | {key: MISSING, "embedded": embedded}})
    says = rf"^{section}\.{key} {MISSING}: expected a file, got No such file or directory$"
    with pytest.raises(SettingsError, match=says) if refused else nullcontext():
        settings.check_files()


def test_files_that_no_client_reads_are_not_looked_for() -> None:
    kafka = {"bootstrap_servers": "a:1", "security_protocol": "SASL_PLAINTEXT", "tls_ca_file": MISSING}
    redis = {"url": "redis://a:1/0", "tls_ca_file": MISSING}
    Settings.model_validate({"kafka": kafka, "redis": redis}).check_files()


def test_a_folder_is_no_certificate(tmp_path: Path) -> None:
    redis = RedisSettings(url="rediss://a:1/0", tls_ca_file=tmp_path)
    with pytest.raises(SettingsError, match=f"{tmp_path}: expected a file, got Is a directory"):
        redis.client_options()


def test_values_are_shown_as_text() -> None:
    assert (shown(None), shown(3), shown(Path("a"))) == ("-", "3", "a")
