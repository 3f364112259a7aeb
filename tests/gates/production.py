"""The environment of a production shop, as `manage.py` takes it: real parts by name, none of them is reached."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def production(folder: Path, **changes: str) -> dict[str, str]:
    """An empty value takes the variable out."""
    given = {
        "PATH": os.environ["PATH"],
        "SPINDLE_DATA": str(folder),
        "SPINDLE_PRODUCTION": "true",
        "SPINDLE_SECRET_KEY": secrets.token_urlsafe(50),
        "SPINDLE_WRITER_KEY": secrets.token_urlsafe(50),
        "SPINDLE_ALLOWED_HOSTS": "shop.example",
        "SPINDLE_BASE_URL": "https://shop.example",
        "SPINDLE_LABEL_PRINTER": "fulfillment.printers.FolderPrinter",
        "STRIPE_SECRET_KEY": "sk_live_x",
        "STRIPE_API_BASE": "https://api.stripe.com",
        "STRIPE_CHECKOUT_ORIGIN": "https://checkout.stripe.com",
        "STRIPE_WEBHOOK_SECRETS": "whsec_of_the_endpoint",
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "DATABASE_URL": "postgres://spindle@127.0.0.1:1/spindle",
        "REDIS_URL": "redis://127.0.0.1:1/0",
    }
    return {name: value for name, value in (given | changes).items() if value}


def manage(environment: dict[str, str], *arguments: str) -> tuple[int, str]:
    """Exit code and everything said."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout
