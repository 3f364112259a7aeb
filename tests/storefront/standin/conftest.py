"""One stand-in for the whole folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stripe

from storefront.stripe_payer import StripePayer
from tests.storefront.standin.asking import payer_for, sdk_for
from tests.storefront.standin.running import Receiver, StandIn, receiving_webhooks, running_standin


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    with receiving_webhooks() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def standin(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[StandIn]:
    """Shared and never stopped; tests tell their own sessions from others by their ids."""
    with running_standin(tmp_path_factory.mktemp("standin"), receiver.url, "--bank-debit", "0.1") as standin:
        yield standin


@pytest.fixture
def payer(standin: StandIn) -> StripePayer:
    return payer_for(standin)


@pytest.fixture
def sdk(standin: StandIn) -> stripe.StripeClient:
    return sdk_for(standin)
