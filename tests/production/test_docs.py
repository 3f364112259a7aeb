"""What docs/deploy.md tells an operator to type is there to be typed."""

from __future__ import annotations

import re

from django.core.management import get_commands, load_command_class

from tests.production.compose import ROOT, compose, services

TEXT = (ROOT / "docs" / "deploy.md").read_text()
VERBS = {"archive": {"add"}, "backup": {"create", "check", "restore"}, "payments": {"reconcile"}}
VERBS["writer"] = {"add", "list", "rotate", "acknowledge", "code", "revoke"}


def test_every_command_of_the_shop_exists() -> None:
    named = set(re.findall(r"\bmanage(?:\.py)? ([a-z]+)", TEXT))
    assert named >= {"archive", "backup", "check", "createsuperuser", "migrate", "payments", "writer"}
    assert named <= get_commands().keys()


def test_every_verb_of_a_command_exists() -> None:
    for name, verbs in VERBS.items():
        said = set(re.findall(rf"\bmanage(?:\.py)? {name} ([a-z]+)", TEXT))
        assert said == verbs
        usage = load_command_class(get_commands()[name], name).create_parser("manage.py", name).format_help()
        assert all(re.search(rf"\b{verb}\b", usage) for verb in verbs), usage


def test_every_service_volume_and_file_is_there() -> None:
    for line in re.findall(r"docker compose (?:exec|run|logs)[^`\n]*", TEXT):
        words = [word for word in line.split()[3:] if not word.startswith("-")]
        assert not words or words[0] in services(), line
    for folder, name in re.findall(r"`?secrets/([a-z_]+)(`)?", TEXT):
        assert folder in compose()["secrets"], (folder, name)
    for path in re.findall(r"(?:deploy|tests/production|docs)/[a-z_.-]+[a-z]", TEXT):
        assert (ROOT / path).exists(), path
