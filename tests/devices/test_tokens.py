from __future__ import annotations

from uuid import UUID

from devices.tokens import command_token, fingerprint, new_report_token

WRITER = UUID("5f0c0000-0000-4000-8000-000000000001")


def test_command_token_follows_key_writer_and_generation() -> None:
    made = {
        command_token("key", WRITER, 1),
        command_token("other", WRITER, 1),
        command_token("key", UUID(int=1), 1),
        command_token("key", WRITER, 2),
    }
    assert len(made) == 4
    assert command_token("key", WRITER, 1) in made


def test_command_token_of_a_key_is_the_same_in_every_release() -> None:
    # Computed apart: HMAC-SHA256(b"key", writer's bytes + b"\0" * 7 + b"\1"), base64url without padding.
    assert command_token("key", WRITER, 1) == "LU-tPEf3Cp-cwRSbeeSMoHMd0GbKlsxb_X5y9H2jcRU"


def test_report_tokens_are_32_random_bytes() -> None:
    made = {new_report_token() for _ in range(100)}
    assert len(made) == 100
    assert {len(token) for token in made} == {43}


def test_fingerprint_is_sha256_in_hex() -> None:
    assert fingerprint("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
