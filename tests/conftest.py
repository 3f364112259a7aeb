"""Set-up of all tests: a data folder of their own, made before Django reads its settings."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_data = tempfile.TemporaryDirectory(prefix="spindle-test-", ignore_cleanup_errors=True)
os.environ["SPINDLE_DATA"] = str(Path(_data.name))
# The clone may belong to somebody else: a test run as an ordinary user keeps its examples with its data.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(_data.name) / "hypothesis"))
