"""The cart: one address for each verb."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from storefront.cart import Cart, CartFull, goods_total
from storefront.forms import CopiesForm
from storefront.models import Product
from storefront.pricing import format_amount
from storefront.views.shop import not_made, sold_titles, title_context


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    return _page(request, {})


@require_POST
def add(request: HttpRequest) -> HttpResponse:
    """From a title's page. A wrong number comes back beside its field."""
    product = _product(request.POST.get("product", ""))
    if not product.is_made:
        messages.error(request, not_made(product))
        return redirect("title", product.title.part_number)
    form = CopiesForm(request.POST)
    if not form.is_valid():
        wanted = get_object_or_404(sold_titles(), pk=product.title_id)
        return render(request, "shop/title.html", title_context(wanted, product.format, form), status=422)
    try:
        Cart(request.session).put(product, form.cleaned_data["copies"])
    except CartFull as error:
        messages.error(request, str(error))
    return redirect("cart")


@require_POST
def change(request: HttpRequest, product_id: int) -> HttpResponse:
    product = _product(product_id)
    if not product.is_made:
        return redirect("cart")  # which says what became of it
    form = CopiesForm(request.POST, auto_id=_field_ids(product))
    if not form.is_valid():
        return _page(request, {product.pk: form}, status=422)
    Cart(request.session).put(product, form.cleaned_data["copies"])
    return redirect("cart")


@require_POST
def remove(request: HttpRequest, product_id: int) -> HttpResponse:
    product = get_object_or_404(Product.objects.select_related("title"), pk=product_id)
    Cart(request.session).remove(product)
    messages.success(request, f"{product.title.title} is out of the cart.")
    return redirect("cart")


def _product(key: int | str) -> Product:
    number = int(key) if str(key).isdecimal() and len(str(key)) < 19 else 0
    return get_object_or_404(Product.objects.select_related("title").filter(active=True), pk=number)


def _field_ids(product: Product) -> str:
    """A page with several of these forms must not use an id twice."""
    return f"id_%s_{product.pk}"


def _page(request: HttpRequest, forms: dict[int, CopiesForm], status: int = 200) -> HttpResponse:
    cart = Cart(request.session)
    lines = cart.lines()
    if cart.drop_all_but(lines):
        messages.warning(request, "Something in your cart is no longer sold. It is taken out.")
    rows = [
        (
            line,
            forms.get(line.product.pk) or CopiesForm(initial={"copies": line.copies}, auto_id=_field_ids(line.product)),
        )
        for line in lines
    ]
    total = format_amount(goods_total(lines), settings.SPINDLE_CURRENCY)
    return render(request, "shop/cart.html", {"rows": rows, "total": total}, status=status)
