"""`manage.py check --deploy` as CI and `docs/deploy.md` call it: a real process with a production environment.

One fault at a time: `tests/storefront/test_checks.py`.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.gates.production import manage, production

CHECK = ("check", "--deploy", "--fail-level", "WARNING")


def test_production_settings_pass_without_a_warning(tmp_path: Path) -> None:
    code, said = manage(production(tmp_path), *CHECK)
    assert (code, said.strip()) == (0, "System check identified no issues (0 silenced).")


def test_everything_offline_or_open_is_an_error_of_its_own(tmp_path: Path) -> None:
    environment = production(
        tmp_path,
        SPINDLE_DEBUG="true",
        SPINDLE_SECRET_KEY="short",
        SPINDLE_WRITER_KEY="x" * 60,
        SPINDLE_ALLOWED_HOSTS="*",
        SPINDLE_PROXIES="0",
        **dict.fromkeys(("SPINDLE_BASE_URL", "SPINDLE_LABEL_PRINTER", "EMAIL_BACKEND", "DATABASE_URL"), ""),
        **dict.fromkeys(("STRIPE_SECRET_KEY", "STRIPE_API_BASE", "STRIPE_CHECKOUT_ORIGIN"), ""),
        STRIPE_WEBHOOK_SECRETS="",
    )
    code, said = manage(environment, "check", "--deploy")
    assert code == 1
    errors = said.partition("ERRORS:")[2].partition("WARNINGS:")[0]
    assert sorted(re.findall(r"\(spindle\.E(\d+)\)", errors)) == [f"{number:03}" for number in range(1, 13)]


def test_missing_key_ends_every_command_and_is_named(tmp_path: Path) -> None:
    code, said = manage(production(tmp_path, SPINDLE_SECRET_KEY=""), *CHECK)
    assert code == 1
    assert "SPINDLE_SECRET_KEY (or SPINDLE_SECRET_KEY_FILE) must be set in production." in said
