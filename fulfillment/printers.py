"""Where papers are printed: the protocol of a label printer, and the one that puts PDF files in a folder.

A printer may be given the same paper twice, and must then leave the same result.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Final, Protocol, cast

from django.conf import settings
from django.utils.module_loading import import_string

_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


class LabelPrinter(Protocol):
    def print(self, name: str, pdf: bytes) -> str:
        """Prints `pdf` and says where it is. `name` is `<reference>/<kind>`; the same name is the same paper."""


class UnusableNameError(Exception):
    """A paper's name must be letters, digits, dots and hyphens, in parts parted by slashes."""


class FolderPrinter:
    """Puts each paper into `SPINDLE_PAPERS` as `<name>.pdf`, for its owner's eyes only: it bears an address."""

    def print(self, name: str, pdf: bytes) -> str:
        if not _NAME.fullmatch(name):
            raise UnusableNameError(
                f"{name!r} can't name a file in the papers' folder: use letters, digits and hyphens."
            )
        path = Path(settings.SPINDLE_PAPERS) / f"{name}.pdf"
        _make_private(path.parent)
        # Named anew and then renamed, so that nobody ever reads half a paper, and two printers do no harm.
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")  # mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(pdf)
                file.flush()
                os.fsync(file.fileno())  # the row will say «printed»: a power cut must not make that a lie
            Path(part).replace(path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
        return str(path)


def label_printer() -> LabelPrinter:
    """The printer that the shop has chosen by `SPINDLE_LABEL_PRINTER`."""
    return cast(LabelPrinter, import_string(settings.SPINDLE_LABEL_PRINTER)())


def _make_private(folder: Path) -> None:
    Path(settings.SPINDLE_PAPERS).mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
