"""The rows of the archive: titles by part number, versions, images, uploads. Data and its own rules."""

from archive.models.titles import (
    PART_NUMBER_PATTERN,
    TRANSITIONS,
    Image,
    ImageState,
    Kind,
    Layout,
    Title,
    TitleVersion,
)
from archive.models.uploads import UPLOAD_TRANSITIONS, Upload, UploadFile, UploadState

__all__ = [
    "PART_NUMBER_PATTERN",
    "TRANSITIONS",
    "UPLOAD_TRANSITIONS",
    "Image",
    "ImageState",
    "Kind",
    "Layout",
    "Title",
    "TitleVersion",
    "Upload",
    "UploadFile",
    "UploadState",
]
