"""The rows of the devices app. Rows hold data and answer questions; they never change a state."""

from .blanks import BlankBin, BlankEntry
from .events import DeviceEvent
from .troubles import Trouble
from .writers import CachedImage, Drive, Printer, Writer, WriterBoot
from .writes import Disc, Write

__all__ = [
    "BlankBin",
    "BlankEntry",
    "CachedImage",
    "DeviceEvent",
    "Disc",
    "Drive",
    "Printer",
    "Trouble",
    "Write",
    "Writer",
    "WriterBoot",
]
