"""Gives the tests a data folder of their own. A plugin (`-p` in pyproject.toml), because pytest-django reads the
settings before any conftest, and settings take their folder when they are read."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_kept = tempfile.TemporaryDirectory(prefix="spindle-test-", ignore_cleanup_errors=True)
FOLDER = Path(_kept.name)
(FOLDER / "static").mkdir()
# One for all processes of a run: those that xdist starts find the first one's.
SHARED = Path(os.environ.setdefault("SPINDLE_TEST_SHARED", str(FOLDER)))

os.environ["SPINDLE_DATA"] = str(FOLDER)
# The clone may belong to somebody else: a run as an ordinary user keeps its examples with its data.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(FOLDER / "hypothesis"))
