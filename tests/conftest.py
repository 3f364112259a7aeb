"""Set-up of all tests: a data folder of their own, made before Django reads its settings."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_data = tempfile.TemporaryDirectory(prefix="spindle-test-", ignore_cleanup_errors=True)
os.environ["SPINDLE_DATA"] = str(Path(_data.name))
