"""Real servers of the tests: private, on sockets in folders of their own, gone with the test."""
