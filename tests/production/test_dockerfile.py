"""The Dockerfile without an engine: its lines, and the paths and packages that they name."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
from dataclasses import dataclass

from tests.production.compose import ROOT, services

FILE = ROOT / "Dockerfile"


@dataclass(frozen=True, slots=True)
class Step:
    word: str
    text: str


def stages() -> dict[str, list[Step]]:
    """The steps of each stage by its name; continued lines are one step."""
    lines = [line for line in FILE.read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found: dict[str, list[Step]] = {}
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, text = line.strip().partition(" ")
        if word == "FROM":
            found[text.split(" AS ")[1]] = []
        list(found.values())[-1].append(Step(word, " ".join(text.split())))
    return found


def steps(stage: str, word: str) -> list[str]:
    return [step.text for step in stages()[stage] if step.word == word]


def test_base_images_are_pinned_and_small() -> None:
    bases = [steps(stage, "FROM")[0].split(" AS ")[0] for stage in stages()]
    assert all(re.fullmatch(r"(python:3\.11\.\d+-slim-bookworm|debian:12\.\d+-slim)", base) for base in bases), bases


def test_compose_builds_the_stages_that_are_there() -> None:
    targets = {service["build"]["target"] for service in services().values() if "build" in service}
    assert targets == {"app", "nginx"}
    assert targets < stages().keys()


def test_what_runs_is_an_ordinary_user() -> None:
    for stage in ("app", "nginx"):
        users = steps(stage, "USER")
        assert len(users) == 1
        assert users[0] not in {"root", "0"}
        order = [step.word for step in stages()[stage]]
        assert "RUN" not in order[order.index("USER") :]


def test_nothing_is_added_from_elsewhere() -> None:
    for stage, each in stages().items():
        assert not [step for step in each if step.word in {"ADD", "ONBUILD", "MAINTAINER"}], stage
        assert not [step for step in each if step.word == "RUN" and re.search(r"\b(curl|wget|git)\b", step.text)]


def test_requirements_are_installed_by_hash_and_as_wheels_only() -> None:
    (install,) = [text for text in steps("build", "RUN") if "pip install" in text]
    assert {"--require-hashes", "--only-binary=:all:"} <= set(shlex.split(install))
    assert not re.search(r"gcc|build-essential|python3-dev", FILE.read_text())


def test_what_is_copied_is_there_and_passes_the_ignore_file() -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert "*" in (ROOT / ".dockerignore").read_text().splitlines()
    for stage in stages():
        for text in steps(stage, "COPY"):
            if text.startswith("--from="):
                assert text.split()[0].removeprefix("--from=") in stages()
                continue
            source = text.split()[0].rstrip("/")
            assert (ROOT / source).exists(), source
            assert any(fnmatch.fnmatch(source, name) or source.startswith(f"{name}/") for name in allowed), source


def test_everything_the_shop_imports_is_copied() -> None:
    copied = {text.split()[0] for text in steps("build", "COPY")}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert packages | {"templates", "manage.py"} <= copied


def test_no_secret_is_kept_in_a_layer() -> None:
    for stage in stages():
        for step in stages()[stage]:
            if step.word in {"ENV", "ARG"}:
                assert not re.search(r"KEY|SECRET|PASSWORD|TOKEN", step.text), step.text
    (collect,) = [text for text in steps("build", "RUN") if "collectstatic" in text]
    assert re.findall(r"SPINDLE_\w+_KEY=(\S+)", collect) == ['"$(head', '"$(head']  # random, and for that command alone


def test_debian_packages_are_those_of_the_demo_and_lists_are_removed() -> None:
    wanted = set((ROOT / "scripts" / "packages-demo.txt").read_text().split("\n")) - {""}
    wanted = {line for line in wanted if not line.startswith("#")} - {"python3-venv", "redis-server"}
    (install,) = [text for text in steps("app", "RUN") if "apt-get install" in text]
    names = install.split("--no-install-recommends ")[1].split(" && ")[0].split()
    assert set(names) == wanted | {"postgresql-client-15"}
    assert services()["postgres"]["image"].startswith("postgres:15.")  # pg_dump must not be older than the server
    for stage in ("app", "nginx"):
        for text in steps(stage, "RUN"):
            assert "--no-install-recommends" in text
            assert "rm -rf /var/lib/apt/lists/*" in text


def test_each_image_says_how_it_is_and_what_it_runs() -> None:
    for stage in ("app", "nginx"):
        assert len(steps(stage, "HEALTHCHECK")) == 1
        (command,) = steps(stage, "CMD")
        assert command.startswith("[")
    assert services()["nginx"]["healthcheck"]["test"] == ["CMD", *_listed(steps("nginx", "HEALTHCHECK")[0])]


def _listed(text: str) -> list[str]:
    listed: list[str] = json.loads(text[text.index("CMD ") + 4 :])
    return listed


def test_folders_that_compose_mounts_belong_to_the_user() -> None:
    (made,) = [text for text in steps("app", "RUN") if "install -d" in text]
    for target in ("/data", "/data/images", "/backups", "/agent"):
        assert re.search(rf"install -d -o spindle -g spindle -m 0[0-7]+ [^&]*{target}( |$)", made), target
