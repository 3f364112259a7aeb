"""The shop front and a title's page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from archive.models import Kind, Title
from fulfillment import quotes
from fulfillment.quotes import Option, Wanted
from storefront.forms import CopiesForm
from storefront.models import Product

SHELF = 12
NAMES = {Kind.MUSIC: "Music", Kind.FILM: "Films", Kind.SOFTWARE: "Software", Kind.DATA: "Data"}


@dataclass(frozen=True, slots=True)
class Shelf:
    name: str
    kind: str
    titles: list[Title]


def sold_titles() -> QuerySet[Title]:
    """Titles with a price and a version: `offers` holds their products, cheapest first."""
    offers = Product.objects.filter(active=True).order_by("price_minor")
    sold = Title.objects.filter(products__active=True, versions__isnull=False).distinct()
    return sold.prefetch_related(Prefetch("products", queryset=offers, to_attr="offers"))


@require_safe
def front(request: HttpRequest) -> HttpResponse:
    query = request.GET.get("q", "").replace("\0", "").strip()[:100]
    kind = request.GET.get("kind", "")
    if query or kind in NAMES:
        found = _search(query, kind)
        name = NAMES[Kind(kind)] if kind in NAMES else "Found"
        return render(
            request, "shop/search.html", {"query": query, "titles": found[:100], "count": len(found), "name": name}
        )
    newest = list(sold_titles().order_by("-created_at")[: SHELF + 1])
    if len(newest) <= SHELF:  # a small catalogue is one shelf, not five with a title each
        shelf = Shelf("Titles", "", sorted(newest, key=lambda title: title.title.casefold()))
        return render(request, "shop/front.html", {"shelves": [shelf] if newest else []})
    shelves = [Shelf("New", "", newest[:SHELF])]
    for kind, name in NAMES.items():
        shelves.append(Shelf(name, kind, list(sold_titles().filter(kind=kind).order_by("title")[:SHELF])))
    return render(request, "shop/front.html", {"shelves": [shelf for shelf in shelves if shelf.titles]})


def _search(query: str, kind: str) -> list[Title]:
    titles = sold_titles().filter(kind=kind) if kind in NAMES else sold_titles()
    for word in query.split():
        titles = titles.filter(
            Q(title__icontains=word)
            | Q(who__icontains=word)
            | Q(part_number__icontains=word)
            | Q(description__icontains=word)
        )
    return list(titles.order_by("title"))


@require_safe
def title(request: HttpRequest, part_number: str) -> HttpResponse:
    wanted = get_object_or_404(sold_titles(), part_number=part_number)
    return render(request, "shop/title.html", title_context(wanted, request.GET.get("format", ""), CopiesForm()))


@require_safe
def title_dates(request: HttpRequest, part_number: str) -> HttpResponse:
    """The arrival dates for another format or number of copies, as a fragment."""
    wanted = get_object_or_404(sold_titles(), part_number=part_number)
    form = CopiesForm(request.GET)
    offers = wanted.products.filter(active=True)
    chosen = next((offer.format for offer in offers if str(offer.pk) == request.GET.get("product")), "")
    return render(request, "shop/_title_dates.html", title_context(wanted, chosen, form))


def title_context(wanted: Title, format_: str, form: CopiesForm) -> dict[str, Any]:
    """What the title's page shows: its offers, the one chosen, and when that would arrive at home."""
    offers: list[Product] = wanted.offers  # type: ignore[attr-defined]  # set by the prefetch in sold_titles()
    made = quotes.made_formats()
    sold = [offer for offer in offers if offer.format in made]
    chosen = next((offer for offer in sold if offer.format == format_), sold[0] if sold else None)
    refused = next((offer for offer in offers if offer.format == format_ and offer not in sold), None)
    copies = form.cleaned_data["copies"] if form.is_bound and form.is_valid() else 1
    return {
        "title": wanted,
        "version": wanted.newest,
        "offers": [(offer, offer.format in made) for offer in offers],
        "not_sold": [not_made(offer) for offer in offers if offer.format not in made],
        "refused": not_made(refused) if refused else "",
        "chosen": chosen,
        "form": form,
        "options": _home_options(wanted, chosen, copies) if chosen else [],
    }


def not_made(product: Product) -> str:
    return f"{product.get_format_display()}: not for sale now. No writer of ours makes it at the moment."


def _home_options(wanted: Title, product: Product, copies: int) -> list[Option]:
    version = wanted.newest
    if version is None:
        return []
    want = Wanted(version.image, product.format, copies)
    return quotes.options([want], settings.SPINDLE_COUNTRY, timezone.now())
