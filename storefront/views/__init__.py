"""The shop's pages: one module a room. Views read, call and render; they decide nothing."""
