"""The rows of the devices app. Rows hold data and answer questions; they never change a state."""

from .blanks import BlankBin, BlankEntry
from .doubts import SelfDoubt
from .events import DeviceEvent
from .newcomers import EnrolmentCode, Sighting
from .reads import Read
from .requests import DriveOrder, ImageRequest
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
    "DriveOrder",
    "EnrolmentCode",
    "ImageRequest",
    "Printer",
    "Read",
    "SelfDoubt",
    "Sighting",
    "Trouble",
    "Write",
    "Writer",
    "WriterBoot",
]
