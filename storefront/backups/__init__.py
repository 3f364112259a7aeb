"""What a shop must not lose, kept elsewhere and brought back: database, images, papers, and its own keys."""
