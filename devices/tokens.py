"""The two tokens between server and agent: pure functions, nothing is kept here.

The report token (agent → server) is random, and only its sha256 is stored. The command token
(server → agent) is derived from a key, so that the database holds nothing that commands a writer.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from uuid import UUID


def new_report_token() -> str:
    """32 random bytes, URL-safe."""
    return secrets.token_urlsafe(32)


def command_token(key: str, writer: UUID, generation: int) -> str:
    """HMAC-SHA256(key, writer's 16 bytes ‖ generation as 8 bytes, big-endian), URL-safe."""
    message = writer.bytes + generation.to_bytes(8, "big")
    digest = hmac.new(key.encode(), message, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def fingerprint(token: str) -> str:
    """The sha256 of a token, in hex: what the other side keeps of it."""
    return hashlib.sha256(token.encode()).hexdigest()
