"""Limits and peers of planning: what no planner can beat, and what a simple one reaches. Benchmarks alone use them."""
