"""Label printers with a trouble of their own, chosen by dotted path as a shop's own would be."""

from __future__ import annotations

import datetime as dt

from fulfillment.papers.printing import print_waiting
from fulfillment.printers import FolderPrinter

NOW = dt.datetime(2026, 11, 20, 9, 0, tzinfo=dt.UTC)


class OutOfPaper:
    def print(self, name: str, pdf: bytes) -> str:
        raise OSError(f"{name}: out of labels")


class OutOfSlips(FolderPrinter):
    def print(self, name: str, pdf: bytes) -> str:
        if name.endswith("packing-slip"):
            raise OSError("out of A4")
        return super().print(name, pdf)


class Overtaken(FolderPrinter):
    """While it prints, a second tick prints everything."""

    printed: list[tuple[str, bytes]] = []
    inner: list[int] = []

    def print(self, name: str, pdf: bytes) -> str:
        self.printed.append((name, pdf))
        if not self.inner:
            self.inner.append(0)
            self.inner[0] = print_waiting(NOW)
        return super().print(name, pdf)
