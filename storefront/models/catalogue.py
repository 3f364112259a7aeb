"""What the shop sells: a title on a format, at a price."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import QuerySet

from archive.formats import CHOICES
from archive.models import Title
from fulfillment import quotes
from storefront.pricing import format_amount


class Product(models.Model):
    """A title sold on one format. Without a row, with `active` off or without a writer for it, it is not sold."""

    title = models.ForeignKey(Title, on_delete=models.PROTECT, related_name="products")
    format = models.CharField(max_length=16, choices=CHOICES)
    price_minor = models.PositiveIntegerField("price", help_text="In minor units (cents), tax included.")
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["title", "price_minor"]
        constraints = [
            models.UniqueConstraint(fields=["title", "format"], name="product_once_per_format"),
            models.CheckConstraint(condition=models.Q(price_minor__gt=0), name="product_price_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.title} on {self.get_format_display()}"

    @classmethod
    def sold(cls) -> QuerySet[Product]:
        """Those that can be ordered now."""
        return cls.objects.filter(active=True, format__in=quotes.made_formats())

    @property
    def is_made(self) -> bool:
        """Whether the plant has a writer for its format. One query."""
        return self.format in quotes.made_formats()

    @property
    def price(self) -> str:
        return format_amount(self.price_minor, settings.SPINDLE_CURRENCY)
