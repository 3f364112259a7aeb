"""The agent stands alone: without Django, without the rest of the house."""

from __future__ import annotations

import subprocess
import sys

from tests.devices.agent.plant import ROOT

BLOCKED = """
import sys
FORBIDDEN = {"django", "rest_framework", "celery", "stripe", "pycdlib", "weasyprint", "redis", "urllib3",
             "storefront", "fulfillment", "archive"}
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in FORBIDDEN:
            raise ImportError(f"{name} is not for the agent")
sys.meta_path.insert(0, Blocker())
import devices.agent.__main__, devices.agent.drivers.xorriso, devices.agent.drivers.virtual, devices.agent.drivers.kit
ours = sorted(n for n in sys.modules if n.startswith("devices") and not n.startswith("devices.agent"))
assert ours == ["devices"], ours
print("alone")
"""


def test_the_agent_needs_nothing_of_the_house_but_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.stdout, done.stderr) == ("alone\n", "")
