"""The fleet in Django's admin: everything to be read, states never to be edited.

Actions call the same lifecycle functions as the ticks; blanks are loaded as a line of the ledger.
"""

from . import blanks, newcomers, work, writers
from .base import ReadOnly, ReadOnlyInline, WhyForm, actor_of

__all__ = ["ReadOnly", "ReadOnlyInline", "WhyForm", "actor_of", "blanks", "newcomers", "work", "writers"]
