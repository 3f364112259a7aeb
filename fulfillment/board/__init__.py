"""The staff board: every open order, the one in most trouble first, and what the writers do."""
