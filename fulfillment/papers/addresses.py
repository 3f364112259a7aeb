"""Postal addresses as their country writes them. Pure; what somebody typed is never dropped, only put in order."""

from __future__ import annotations

from typing import Final

from fulfillment.papers.content import Recipient, printable

# A layout is the lines below the street: each a separator and the fields it joins; empty fields vanish.
Layout = tuple[tuple[str, tuple[str, ...]], ...]

_POSTCODE_FIRST: Final[Layout] = ((" ", ("postal_code", "city")), ("", ("region",)))
_LAYOUTS: Final[dict[str, Layout]] = {
    "US CA AU JP TW PR GU VI AS MP": ((" ", ("city", "region", "postal_code")),),
    "GB IE GG JE IM KR ZA UA RU EG LK KE": (("", ("city",)), ("", ("region",)), ("", ("postal_code",))),
    "NZ IN SG SA IL PK BD NP JO LB MT BN KH": ((" ", ("city", "postal_code")), ("", ("region",))),
    "CN ID TH VN NG IQ": (("", ("city",)), (" ", ("region", "postal_code"))),
    "HK MO AE BS JM PA": (("", ("city",)), (" ", ("region", "postal_code"))),
    "IT ES SM VA MX CR": ((" ", ("postal_code", "city", "region")),),
    "BR": ((" - ", ("city", "region")), ("", ("postal_code",))),
    "CO": ((", ", ("city", "region", "postal_code")),),
}
_LAYOUT_OF: Final = {country: layout for countries, layout in _LAYOUTS.items() for country in countries.split()}


def recipient(
    *,
    name: str,
    organisation: str,
    line1: str,
    line2: str,
    city: str,
    region: str,
    postal_code: str,
    country: str,
    country_name: str,
    home: str,
) -> Recipient:
    """The address for a label. `country` and `home` are ISO 3166 codes; the name in capitals is left out at home."""
    town = {
        "city": printable(city),
        "region": printable(region),
        "postal_code": printable(postal_code).upper(),
    }
    layout = _LAYOUT_OF.get(country, _POSTCODE_FIRST)
    below = (separator.join(filter(None, (town[field] for field in fields))) for separator, fields in layout)
    lines = (printable(line1), printable(line2), *below)
    return Recipient(
        name=printable(name),
        organisation=printable(organisation),
        lines=tuple(filter(None, lines)),
        country="" if country == home else printable(country_name).upper(),
    )
