from __future__ import annotations

import re

import pytest
from django.test import Client
from django.utils import timezone

from archive.models import TitleVersion
from devices.models import Writer
from fulfillment.models import PlanRun
from storefront.models import Product
from tests.scene import Plant, make_image, make_title
from tests.storefront.shopping import put

pytestmark = pytest.mark.django_db


def test_the_front_page_shows_what_is_sold_and_nothing_else(client: Client) -> None:
    make_title("P-1")
    hidden = make_title("P-2")
    Product.objects.filter(pk=hidden.pk).update(active=False)
    page = client.get("/").content.decode()
    assert "Title P-1" in page
    assert "Title P-2" not in page


def test_an_empty_shop_says_what_will_be_here(client: Client) -> None:
    assert b"None is for sale yet" in client.get("/").content


@pytest.mark.parametrize("query", ["P-17", "title p-17", "TITLE"])
def test_search_finds_by_part_number_and_title(client: Client, query: str) -> None:
    make_title("P-17")
    assert b"Title P-17" in client.get("/", {"q": query}).content


def test_a_search_without_result_offers_a_way_on(client: Client) -> None:
    make_title("P-1")
    answer = client.get("/", {"q": "nothing like it"})
    assert answer.status_code == 200
    assert b"See all shelves" in answer.content


def test_an_unknown_part_number_is_a_kind_404(client: Client) -> None:
    answer = client.get("/titles/P-404/")
    assert answer.status_code == 404
    assert b"Go to the shop" in answer.content


def test_a_title_shows_the_date_for_each_service(client: Client, plant: Plant) -> None:
    make_title("P-1")
    page = client.get("/titles/P-1/").content.decode()
    assert page.count("arrives <strong>") == 2


def test_without_a_plan_no_date_is_invented(client: Client, plant: Plant) -> None:
    make_title("P-1")
    PlanRun.objects.all().delete()
    page = client.get("/titles/P-1/").content.decode()
    assert "arrives <strong>" not in page
    assert page.count("we confirm the date by e-mail") == 2


@pytest.mark.parametrize(
    ("copies", "said"),
    [
        ("0", "Enter 1 or more"),
        ("1000000000", "Enter 1,000 or fewer"),
        ("-3", "Enter 1 or more"),
        ("many", "Enter a whole number"),
        ("", "Enter how many copies you want"),
    ],
)
def test_a_wrong_number_of_copies_is_told_beside_its_field(
    client: Client, copies: str, said: str, plant: Plant
) -> None:
    product = make_title()
    answer = put(client, product, copies)
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert client.session.get("cart", {}) == {}
    put(client, product, 2)
    answer = client.post(f"/cart/{product.pk}/change/", {"copies": copies})
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert client.session["cart"] == {str(product.pk): 2}


def test_a_product_that_does_not_exist_is_not_put_into_the_cart(client: Client) -> None:
    assert client.post("/cart/add/", {"product": "9999", "copies": "1"}).status_code == 404
    assert client.post("/cart/add/", {"product": "x", "copies": "1"}).status_code == 404


def test_absurd_keys_and_nul_characters_are_no_server_errors(client: Client) -> None:
    assert client.post("/cart/add/", {"product": "9" * 5000, "copies": "1"}).status_code == 404
    assert client.get("/", {"q": "\0"}).status_code == 200


def test_each_field_of_the_cart_has_an_id_of_its_own(client: Client, plant: Plant) -> None:
    for number in range(2):
        put(client, make_title(f"P-{number}"))
    ids = re.findall(r' id="([^"]+)"', client.get("/cart/").content.decode())
    assert len(ids) == len(set(ids))


def test_dates_are_those_of_the_medium_chosen(client: Client, plant: Plant) -> None:
    cd = make_title("P-1")
    bd = Product.objects.create(title=cd.title, format="bd", price_minor=2000)
    assert "arrives <strong>" in client.get("/titles/P-1/dates/", {"product": cd.pk, "copies": 1}).content.decode()
    page = client.get("/titles/P-1/dates/", {"product": bd.pk, "copies": 1}).content.decode()
    assert "arrives <strong>" not in page
    assert "Blu-ray: not for sale now" in page


def test_a_medium_that_no_writer_makes_is_not_sold_and_the_page_says_so(client: Client, plant: Plant) -> None:
    cd = make_title("P-1")
    bd = Product.objects.create(title=cd.title, format="bd", price_minor=2000)
    page = client.get("/titles/P-1/").content.decode()
    assert "Blu-ray: not for sale now. No writer of ours makes it at the moment." in page
    assert f'value="{bd.pk}" disabled' in page
    assert "Put into the cart" in page
    refused = client.post("/cart/add/", {"product": bd.pk, "copies": 1}, follow=True)
    assert refused.redirect_chain[-1][0] == "/titles/P-1/"
    assert "Blu-ray: not for sale now" in refused.content.decode()
    assert "cart" not in client.session
    Writer.objects.update(enabled=False)
    page = client.get("/titles/P-1/").content.decode()
    assert "CD: not for sale now" in page
    assert "Put into the cart" not in page


def test_what_no_writer_makes_any_more_leaves_the_cart(client: Client, plant: Plant) -> None:
    put(client, make_title("P-1"))
    Writer.objects.update(enabled=False)
    assert "no longer sold" in client.get("/cart/").content.decode()


def test_a_writer_that_is_only_away_still_sells_its_media(client: Client, plant: Plant) -> None:
    make_title("P-1")
    Writer.objects.update(state="offline")
    assert "Put into the cart" in client.get("/titles/P-1/").content.decode()


def test_a_cart_holds_fifty_titles_and_says_so(client: Client, plant: Plant) -> None:
    products = [make_title(f"P-{number}") for number in range(51)]
    for product in products:
        put(client, product)
    page = client.get("/cart/").content.decode()
    assert "at most 50 different titles" in page
    assert len(client.session["cart"]) == 50


def test_what_went_out_of_sale_leaves_the_cart(client: Client, plant: Plant) -> None:
    product = make_title()
    put(client, product)
    Product.objects.update(active=False)
    assert b"Here will be what you want to order" in client.get("/cart/").content


def test_a_title_sells_its_newest_version(client: Client, plant: Plant) -> None:
    product = make_title()
    TitleVersion.objects.create(title=product.title, number=2, image=make_image("two"), created_at=timezone.now())
    put(client, product)
    line = client.get("/cart/").context["rows"][0][0]
    assert line.version.number == 2


def test_every_page_forbids_inline_scripts_and_foreign_content(client: Client) -> None:
    policy = client.get("/")["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe-inline" not in policy
    assert "frame-ancestors 'none'" in policy
