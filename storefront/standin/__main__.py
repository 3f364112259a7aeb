"""`python -m storefront.standin`: the stand-in as a program of its own."""

from __future__ import annotations

import argparse
import sys

from storefront.standin.config import add_arguments, config_from
from storefront.standin.server import serve


def main() -> int:
    parser = argparse.ArgumentParser(prog="stripe_standin", description="A stand-in for Stripe, for tests and demos.")
    add_arguments(parser)
    return serve(config_from(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
