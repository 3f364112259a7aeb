"""What is not ours to change, or what the checkers don't know yet: one rule, on one kind of node, with the reason.

An entry that no page needs any more fails the gate: it would only hide what comes next.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Foreign:
    """`rule` is the checker's message or axe's rule, `node` what the markup must hold; both regular expressions."""

    groups: tuple[str, ...]
    rule: str
    node: str
    why: str

    def is_it(self, group: str, rule: str, node: str) -> bool:
        return group in self.groups and bool(re.search(self.rule, rule) and re.search(self.node, node))


FOREIGN_MARKUP: Final = (
    Foreign(("shop", "plant"), "“pathLength” not allowed", "<circle ", "SVG 2 has it on every shape; vnu's SVG is 1.1"),
    Foreign(("admin",), "A table row was 2 columns wide", "", "Django's own list of apps, in every sidebar"),
    Foreign(
        ("admin",), "“select” element .* must have a descendant “option”", "", "Django's autocomplete: filled later"
    ),
    Foreign(
        ("admin",),
        "The first “option” element",
        r'<option value="\d+" selected>',
        "Django's autocomplete: the chosen row",
    ),
    Foreign(("admin",), "“disabled” not allowed on element “div”", 'id="id_password"', "Django's password widget"),
    Foreign(("admin",), "No “p” element in scope", "</ul></p>", "Django's password help: a list inside a paragraph"),
    Foreign(("papers",), "is not a “content” value", "", "CSS for paged media, which WeasyPrint knows"),
    Foreign(("papers",), "is not a “position” value", "", "CSS for paged media, which WeasyPrint knows"),
    Foreign(("papers",), "Property “string-set” doesn't exist", "", "CSS for paged media, which WeasyPrint knows"),
)

FOREIGN_NODES: Final = (
    Foreign(("admin",), "^select-name$", "^#id_(user_)?(permissions|groups)_(from|to)", "Django's list of two halves"),
    Foreign(("admin",), "^label$", "^#id_(last_login|date_joined)_[01] ", "Django's date and time of one label"),
    Foreign(("admin",), "^aria-prohibited-attr$", "help-tooltip search-label-icon", "Django's list of two halves"),
    Foreign(("admin",), "^aria-input-field-name$", "select2-selection", "select2, which Django brings"),
    Foreign(("admin",), "^scrollable-region-focusable$", "inline-group", "browsers scroll such a one by its own keys"),
)
