"""A stand-in for Stripe: a separate program that speaks its wire format and shows its hosted page.

It keeps its own ledger and must never import anything of the shop, nor be imported by it: they meet over HTTP only.
"""
