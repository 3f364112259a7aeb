"""Label printers with a trouble of their own, chosen by dotted path as a shop's own would be."""

from __future__ import annotations

from typing import ClassVar

from fulfillment.papers.printing import print_waiting
from fulfillment.printers import FolderPrinter
from tests.fulfillment.papers.rows import NOW


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

    printed: ClassVar[list[tuple[str, bytes]]] = []
    inner: ClassVar[list[int]] = []

    def print(self, name: str, pdf: bytes) -> str:
        self.printed.append((name, pdf))
        if not self.inner:
            self.inner.append(0)
            self.inner[0] = print_waiting(NOW)
        return super().print(name, pdf)
