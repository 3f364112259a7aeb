"""docker-compose.yml: what the schema says, and what a careful operator would look for."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.production.compose import FILE, ROOT, VARIABLE, compose, environment, example, filled, services

NAMED = re.compile(r"""\b(?:env|env_flag|env_list|kept_secret)\(\s*"(?P<name>[A-Z_]+)\"""")
ROLES = ["postgres", "redis", "migrate", "web", "worker", "documents", "mastering", "beat", "nginx",
         "agent", "manage"]  # fmt: skip
DATABASES = {"postgres", "redis"}


def known_settings() -> set[str]:
    """Every environment name that settings.py reads."""
    return {match["name"] for match in NAMED.finditer((ROOT / "storefront" / "settings.py").read_text())}


def test_it_is_valid_by_the_compose_schema() -> None:
    checker = [str(Path(sys.executable).parent / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*checker, str(FILE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_role_is_there() -> None:
    assert sorted(services()) == sorted(ROLES)


@pytest.mark.parametrize("name", ROLES)
def test_every_service_has_a_health_check_or_says_why_not(name: str) -> None:
    service = services()[name]
    if service["healthcheck"].get("disable"):
        assert len(service["labels"]["spindle.no-healthcheck"]) > 20
    else:
        assert service["healthcheck"]["test"][0] == "CMD"
        assert {"interval", "timeout", "retries"} <= service["healthcheck"].keys()


@pytest.mark.parametrize("name", ROLES)
def test_every_service_is_shut_in(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    assert re.fullmatch(r"[0-9]+[mg]", service["mem_limit"])
    assert bool(service.get("cap_add")) == (name == "postgres")


@pytest.mark.parametrize("name", ROLES)
def test_every_service_that_stays_comes_back_and_ends_in_its_own_time(name: str) -> None:
    service = services()[name]
    if name in {"migrate", "manage"}:
        assert service["restart"] == "no"
    else:
        assert service["restart"] == "unless-stopped"
        assert re.fullmatch(r"[0-9]+s", service["stop_grace_period"])


def test_images_are_pinned() -> None:
    for name, service in services().items():
        image = filled(service["image"])
        _, _, tag = image.partition(":")
        assert re.fullmatch(r"[0-9]+\.[0-9]+(\.[0-9]+)?-bookworm" if name in DATABASES else r"1", tag), image


def test_no_secret_stands_in_it() -> None:
    secret = re.compile(r"KEY|SECRET|PASSWORD|TOKEN|DATABASE_URL")
    for name in services():
        for variable, value in environment(name).items():
            if secret.search(variable):
                assert variable.endswith("_FILE"), f"{name}: {variable}"
                assert value.startswith("/run/secrets/"), f"{name}: {variable}"
    text = FILE.read_text() + (ROOT / "deploy" / "env.example").read_text()
    assert not re.search(r"sk_(live|test)_|whsec_|://[^/\s:]+:[^@\s]+@|-----BEGIN", text)


def test_each_secret_that_is_named_is_given_and_each_given_one_is_used() -> None:
    used: set[str] = set()
    for name, service in services().items():
        given = set(service.get("secrets", []))
        wanted = {
            value.removeprefix("/run/secrets/") for key, value in environment(name).items() if key.endswith("_FILE")
        }
        if name != "nginx":
            assert wanted == given, name
        used |= given
    assert used == set(compose()["secrets"])
    conf = (ROOT / "deploy" / "nginx" / "nginx.conf").read_text()
    assert set(re.findall(r"/run/secrets/(\w+);", conf)) == set(services()["nginx"]["secrets"])


def test_make_secrets_makes_each_of_them_or_asks_for_it(tmp_path: Path) -> None:
    script, folder = ROOT / "deploy" / "make-secrets", tmp_path / "secrets"
    first = subprocess.run([str(script), str(folder)], capture_output=True, text=True, check=True).stdout
    kept = {path.name: path.read_text() for path in folder.iterdir()}
    asked = set(re.findall(rf"needed {folder}/(\w+)", first))
    assert kept.keys() | asked == set(compose()["secrets"])
    assert not kept.keys() & asked
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o444}
    assert len({kept[name] for name in ("secret_key", "writer_key", "postgres_password", "metrics_token")}) == 4
    assert kept["database_url"] == f"postgres://spindle:{kept['postgres_password']}@postgres:5432/spindle"
    again = subprocess.run([str(script), str(folder)], capture_output=True, text=True, check=True).stdout
    assert "made" not in again
    assert {path.name: path.read_text() for path in folder.iterdir()} == kept


def test_what_is_set_are_settings() -> None:
    known = known_settings()
    for name in set(services()) - DATABASES:
        names = {variable.removesuffix("_FILE") for variable in environment(name)}
        assert names <= known, name


def test_the_example_names_what_must_be_set_and_nothing_unknown() -> None:
    text = FILE.read_text()
    needed = {match["name"] for match in VARIABLE.finditer(text) if match["kind"] == "?"}
    offered = {match["name"] for match in VARIABLE.finditer(text)}
    assert needed <= example().keys()
    assert example().keys() <= offered


def test_all_that_read_settings_read_the_same() -> None:
    one = environment("web")
    for name in ("migrate", "worker", "documents", "mastering", "beat", "manage"):
        assert environment(name) == one


def test_every_dependency_says_what_it_waits_for() -> None:
    for name, service in services().items():
        for other, how in service.get("depends_on", {}).items():
            once = other == "migrate"
            assert how == {"condition": "service_completed_successfully" if once else "service_healthy"}, (name, other)
            assert once or not services()[other]["healthcheck"].get("disable")
    for name in ("web", "worker", "documents", "mastering", "beat"):
        assert services()[name]["depends_on"].keys() == {"postgres", "redis", "migrate"}


def test_only_nginx_can_be_reached_from_outside() -> None:
    assert [name for name, service in services().items() if "ports" in service] == ["nginx"]
    assert compose()["networks"]["data"] == {"internal": True}
    assert {name for name, service in services().items() if "front" in service["networks"]} == {
        "web", "worker", "documents", "mastering", "nginx", "manage",
    }  # fmt: skip
    for name in DATABASES:
        assert services()[name]["networks"] == ["data"]
    assert "data" not in services()["agent"]["networks"]
    assert "data" not in services()["nginx"]["networks"]


def test_the_agents_address_is_in_the_plants_network_and_among_those_allowed() -> None:
    (pool,) = compose()["networks"]["plant"]["ipam"]["config"]
    address = services()["agent"]["networks"]["plant"]["ipv4_address"]
    assert pool["subnet"] == environment("worker")["SPINDLE_AGENT_NETWORKS"]
    assert address in services()["agent"]["healthcheck"]["test"][-1]
    assert address.rpartition(".")[0] == pool["subnet"].rpartition(".")[0]


def test_named_volumes_are_used_and_images_are_written_by_few() -> None:
    mounts = {name: service.get("volumes", []) for name, service in services().items()}
    named = {mount.partition(":")[0] for each in mounts.values() for mount in each if mount[0].isalpha()}
    assert named == set(compose()["volumes"])
    writers = {name for name, each in mounts.items() if "images:/data/images" in each}
    assert writers == {"migrate", "mastering", "manage"}
    assert "images:/srv/images:ro" in mounts["nginx"]


def test_there_is_one_beat() -> None:
    assert [name for name, service in services().items() if "beat" in service.get("command", [])] == ["beat"]
    assert not any("deploy" in service or "scale" in service for service in services().values())


def queues_of(name: str) -> list[str]:
    command = services()[name].get("command", [])
    return command[command.index("-Q") + 1].split(",") if "-Q" in command else []


def test_every_queue_has_a_worker() -> None:
    queues = [queue for name in services() for queue in queues_of(name)]
    assert sorted(queues) == ["documents", "mastering", "ticks"]
    # What waits for the payer, the mail server or a printer takes no slot from the ticks.
    assert [queues_of(name) for name in ("worker", "documents")] == [["ticks"], ["documents"]]
