"""The whole shop on one machine, with real parts and offline edges: for a first look, and for `demo --once`."""
