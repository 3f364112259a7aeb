from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from fulfillment import ranking
from tests.browser.demo import ROOT


class Nameless:
    def rank(self, job: object) -> tuple[float, ...]:
        return ()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nowhere.Policy", "No module named 'nowhere'"),
        ("fulfillment.planning.policies.Nobody", "Nobody"),
        ("tests.fulfillment.test_ranking.Nameless", "has no name and no reorder"),
        ("nonsense", "nonsense"),
    ],
)
def test_a_policy_that_cannot_be_used_is_told_with_its_path(path: str, said: str) -> None:
    with pytest.raises(ImproperlyConfigured) as raised:
        ranking.load_policy(path)
    assert path in str(raised.value)
    assert said in str(raised.value)


def test_a_bad_policy_stops_the_shop_at_its_start() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=os.environ | {"SPINDLE_POLICY": "nowhere.Policy"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "SPINDLE_POLICY='nowhere.Policy' can't be used" in done.stderr
