"""Contents of papers for the tests: real addresses, extreme texts, hostile texts."""

from __future__ import annotations

import datetime as dt
from typing import Final

from fulfillment.papers.addresses import recipient
from fulfillment.papers.content import FaceContent, LabelContent, Recipient, SlipContent, SlipLine

SENDER: Final = "Spindle, Am Plattenwerk 1, 10115 Berlin, Germany"
REFERENCE: Final = "S-4K7P2M9X"
SERIAL: Final = "4K7P2M9XQR3T"
TITLE_OF_200: Final = (
    "The Complete Recordings of the Rotterdam Harbour Orchestra, Volume Seventeen: Winter Concerts, Rehearsals "
    "and Conversations with the Conductor, 1961 to 1974, Restored from the Original Master Tapes in 2026"
).ljust(200, "!")
HOSTILE: Final = (
    "<img src=file:///etc/passwd>",
    "<script>alert(1)</script>",
    "{{ 7*7 }}{% now 'Y' %}",
    "</style><style>@import url(http://127.0.0.1/)",
    "<link rel=attachment href=file:///etc/hostname>",
    "\"><a href='http://127.0.0.1/'>&amp;",
)


def address(
    name: str = "Anna Weber",
    organisation: str = "",
    line1: str = "Lindenallee 12",
    line2: str = "",
    city: str = "Hamburg",
    region: str = "",
    postal_code: str = "20357",
    country: tuple[str, str] = ("DE", "Germany"),
    home: str = "DE",
) -> Recipient:
    code, country_name = country
    return recipient(
        name=name,
        organisation=organisation,
        line1=line1,
        line2=line2,
        city=city,
        region=region,
        postal_code=postal_code,
        country=code,
        country_name=country_name,
        home=home,
    )


# Public institutions' own addresses, with the lines each country expects. The shop is at home in Austria here.
REAL: Final[dict[str, tuple[Recipient, tuple[str, ...]]]] = {
    "JP": (
        address("Sato Haruka", "Tokyo National Museum", "13-9 Ueno Park", "", "Taito-ku", "Tokyo", "110-8712",
                ("JP", "Japan"), "AT"),
        ("13-9 Ueno Park", "Taito-ku Tokyo 110-8712"),
    ),
    "IE": (
        address("Niamh O’Connell", "Chester Beatty", "Dublin Castle", "", "Dublin 2", "", "", ("IE", "Ireland"), "AT"),
        ("Dublin Castle", "Dublin 2"),
    ),
    "HK": (
        address("Chan Tai Man", "Hong Kong Museum of Art", "10 Salisbury Road", "", "Tsim Sha Tsui", "Kowloon", "",
                ("HK", "Hong Kong"), "AT"),
        ("10 Salisbury Road", "Tsim Sha Tsui", "Kowloon"),
    ),
    "BR": (
        address("João Guimarães", "Museu de Arte de São Paulo", "Avenida Paulista 1578", "Bela Vista", "São Paulo",
                "SP", "01310-200", ("BR", "Brazil"), "AT"),
        ("Avenida Paulista 1578", "Bela Vista", "São Paulo - SP", "01310-200"),
    ),
    "DE": (
        address("Jürgen Groß", "Deutsche Nationalbibliothek", "Adickesallee 1", "", "Frankfurt am Main", "", "60322",
                ("DE", "Germany"), "AT"),
        ("Adickesallee 1", "60322 Frankfurt am Main"),
    ),
    "GB": (
        address("Priya Shah", "", "Flat 3B, Tideway House", "41 Old Jamaica Road", "London", "", "se16 4su",
                ("GB", "United Kingdom"), "AT"),
        ("Flat 3B, Tideway House", "41 Old Jamaica Road", "London", "SE16 4SU"),
    ),
    "US": (
        address("Mail Room", "Smithsonian Institution", "PO Box 37012", "MRC 010", "Washington", "DC", "20013-7012",
                ("US", "United States of America"), "AT"),
        ("PO Box 37012", "MRC 010", "Washington DC 20013-7012"),
    ),
    "FR": (
        address("Éloïse Lefèvre", "Bibliothèque nationale de France", "Quai François-Mauriac", "", "PARIS CEDEX 13",
                "", "75706", ("FR", "France"), "AT"),
        ("Quai François-Mauriac", "75706 PARIS CEDEX 13"),
    ),
    "IN": (
        address("Arjun Deshpande", "National Film Archive of India", "Law College Road", "", "Pune", "Maharashtra",
                "411004", ("IN", "India"), "AT"),
        ("Law College Road", "Pune 411004", "Maharashtra"),
    ),
    "APO": (
        address("SGT Maria Lopez", "", "PSC 1234 Box 5678", "", "APO", "AE", "09124",
                ("US", "United States of America"), "AT"),
        ("PSC 1234 Box 5678", "APO AE 09124"),
    ),
    "PL": (
        address("Łucja Żółkiewska", "", "ul. Piotrkowska 104a m. 7", "", "Łódź", "", "90-926", ("PL", "Poland"), "AT"),
        ("ul. Piotrkowska 104a m. 7", "90-926 Łódź"),
    ),
}  # fmt: skip

LONGEST: Final = address(
    "Doña María de los Ángeles Fernández de Córdoba y Álvarez de las Asturias Bohorqu",
    "Universidad Autónoma de Santo Domingo, Departamento de Archivo Sonoro y Fonoteca",
    "Facultad de Artes, Edificio Doctor Pedro Mir, tercer piso, despacho 314, al lado de la biblioteca A",
    "Avenida Alma Máter esquina Correa y Cidrón, Ciudad Universitaria, Zona Universitaria, puerta núm. 45",
    "Santo Domingo de Guzmán",
    "Distrito Nacional",
    "10103",
    ("DO", "Dominican Republic"),
)
WIDEST: Final = address(
    "W" * 80, "M" * 80, "W" * 100, "M" * 100, "W" * 80, "M" * 80, "W" * 16, ("SH", "W" * 60)
)  # every field at its length, in the widest letters, without a place to break


def label(to: Recipient | None = None, reference: str = REFERENCE, service: str = "Standard") -> LabelContent:
    return LabelContent(
        reference=reference, sender=SENDER, carrier="Deutsche Post", service=service, recipient=to or address()
    )


def line(number: int = 1, copies: int = 1, title: str = "Evening Songs") -> SlipLine:
    return SlipLine(
        part_number=f"P-{1000 + number}",
        title=title,
        format="CD",
        copies=copies,
        serials=tuple(f"4K7P-{number:04d}-{copy:04d}" for copy in range(copies)),
    )


def slip(*lines: SlipLine, to: Recipient | None = None) -> SlipContent:
    return SlipContent(
        shop="Spindle",
        reference=REFERENCE,
        ordered_on=dt.date(2026, 11, 20),
        service="Deutsche Post · Standard",
        promised_on=dt.date(2026, 11, 26),
        recipient=to or address(),
        lines=lines,
    )


def face(title: str = "Evening Songs", who: str = "Marta Lindqvist", mini: bool = False) -> FaceContent:
    return FaceContent(title=title, who=who, part_number="P-1001", format="CD", mini=mini, serial=SERIAL)
