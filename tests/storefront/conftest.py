from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from fulfillment import rolling
from tests.scene import Plant, running_plant
from tests.storefront.standin.running import StandIn, running_standin


@pytest.fixture
def plant(db: None) -> Iterator[Plant]:
    """A writer at work now, and dates read from it."""
    with running_plant() as running:
        running.now = timezone.now()
        running.report()
        rolling.roll(running.now)
        yield running


@pytest.fixture(scope="session")
def one_standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with running_standin(tmp_path_factory.mktemp("till")) as running:
        yield running


@pytest.fixture
def till(one_standin: StandIn, settings: Settings) -> StandIn:
    """A stand-in that is never stopped, with the shop set up to use it. Its ledger knows other tests' orders too."""
    use(one_standin, settings)
    return one_standin


def use(standin: StandIn, settings: Settings) -> None:
    settings.STRIPE_API_BASE = standin.url
    settings.STRIPE_SECRET_KEY = standin.key
    settings.STRIPE_WEBHOOK_SECRETS = [standin.secret]


@pytest.fixture
def standin(tmp_path: Path, settings: Settings) -> Iterator[StandIn]:
    """The payment stand-in, with the shop set up to use it."""
    with running_standin(tmp_path) as running:
        use(running, settings)
        yield running
