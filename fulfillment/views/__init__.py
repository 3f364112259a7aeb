"""The plant's pages. Views read, call and render; they decide nothing."""
