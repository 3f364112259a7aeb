"""The shared parts of every page (look.md), as template tags."""

from django import template

register = template.Library()
