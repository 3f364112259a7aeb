"""What staff see of the archive. Titles may be reworded; versions and images are only read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from archive import lifecycle
from archive.formats import format_bytes
from archive.models import Image, Title, TitleVersion, Upload


class ReadOnly:
    """Mixed into an admin whose rows are made by `manage.py archive` and nowhere else."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class VersionInline(ReadOnly, admin.TabularInline[TitleVersion, Title]):
    model = TitleVersion
    fields = ["number", "image", "files", "note", "created_at"]
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[TitleVersion]:
        return super().get_queryset(request).select_related("image", "title")


@admin.register(Title)
class TitleAdmin(admin.ModelAdmin[Title]):
    list_display = ["part_number", "title", "who", "kind", "created_at"]
    list_filter = ["kind"]
    search_fields = ["part_number", "title", "who"]
    fields = ["part_number", "title", "who", "kind", "description", "created_at"]
    readonly_fields = ["part_number", "created_at"]
    inlines = [VersionInline]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # a title comes with its first version

    def has_delete_permission(self, request: HttpRequest, obj: Title | None = None) -> bool:
        return False


@admin.register(Image)
class ImageAdmin(ReadOnly, admin.ModelAdmin[Image]):
    list_display = ["short_digest", "volume_name", "layout", "state", "readable_size", "reason", "created_at"]
    list_filter = ["state", "layout"]
    search_fields = ["sha256", "recipe", "volume_name", "source"]
    ordering = ["-created_at"]
    actions = ["try_again"]

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("archive.change_image")

    @admin.action(description="Try again", permissions=["operate"])
    def try_again(self, request: HttpRequest, images: QuerySet[Image]) -> None:
        moved = [lifecycle.retry(image) for image in images]
        text = f"{sum(moved)} will be made again, {len(moved) - sum(moved)} left as they were."
        self.message_user(request, text, messages.SUCCESS if any(moved) else messages.WARNING)

    @admin.display(description="digest", ordering="sha256")
    def short_digest(self, image: Image) -> str:
        return (image.sha256 or "–")[:12]

    @admin.display(description="size", ordering="size")
    def readable_size(self, image: Image) -> str:
        return format_bytes(image.size) if image.size is not None else "–"


@admin.register(Upload)
class UploadAdmin(ReadOnly, admin.ModelAdmin[Upload]):
    list_display = ["name", "state", "files_count", "readable_size", "by", "created_at", "reason"]
    list_filter = ["state"]
    search_fields = ["name", "by", "image__sha256"]
    exclude = ["manifest", "lease_owner", "lease_until"]

    @admin.display(description="size", ordering="size")
    def readable_size(self, upload: Upload) -> str:
        return format_bytes(upload.size)
