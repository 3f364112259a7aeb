"""What staff sees of the writers: read once, put into words, shown by the fleet pages."""
