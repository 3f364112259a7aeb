"""Foreign keys point the way imports do: a string in a model hides from the import linter."""

from __future__ import annotations

from django.apps import apps
from django.db.models import Model

FLOORS = {"storefront": 3, "fulfillment": 2, "devices": 1, "archive": 1}


def test_every_relation_points_down_or_stays_on_its_floor() -> None:
    wrong = []
    for model in apps.get_models():
        app = model._meta.app_label
        if app not in FLOORS:
            continue
        for field in model._meta.get_fields():
            related = field.related_model
            if not field.concrete or not isinstance(related, type) or not issubclass(related, Model):
                continue
            target = related._meta.app_label
            down = target in FLOORS and FLOORS[target] < FLOORS[app]
            if target != app and not down:
                wrong.append(f"{model.__name__}.{field.name} → {related._meta.label}")
    assert wrong == []


def test_every_row_with_a_revision_is_found_by_a_partial_index() -> None:
    for label in ("fulfillment.Copy", "fulfillment.Job", "fulfillment.Shipment", "devices.Read", "devices.Write"):
        indexes = apps.get_model(label)._meta.indexes
        assert any("revision_read" in str(index.condition) for index in indexes), label
