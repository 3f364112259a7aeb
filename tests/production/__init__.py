"""The production set as far as it can be tried without a Docker engine."""
