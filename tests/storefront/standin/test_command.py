"""The stand-in as a command: what it refuses to start with, how it ends, and what it never writes down."""

from __future__ import annotations

import argparse
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import stripe

from storefront.standin.cards import IBAN_THAT_PAYS, TEST_CARDS, passes_luhn
from storefront.standin.config import add_arguments, config_from
from tests.storefront.standin.asking import order, payer_for, post, submit
from tests.storefront.standin.running import ROOT, StandIn, running_standin, still_alive


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "storefront.standin", *words], cwd=ROOT, capture_output=True, text=True, timeout=60
    )


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = command("--port", str(port), "--ledger", str(tmp_path / "ledger.sqlite3"))
    assert ended.returncode == 1
    assert ended.stderr == f"Port {port} is taken. Stop what listens there, or choose another with --port.\n"
    assert ended.stdout == ""


def test_a_ledger_that_is_none_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Anna, " * 100)
    ended = command("--port", "0", "--ledger", str(tmp_path / "letter.txt"))
    assert ended.returncode == 1
    assert re.fullmatch(r"The ledger .*letter\.txt can't be used: .*\n", ended.stderr)
    assert (tmp_path / "letter.txt").read_text() == "Dear Anna, " * 100


@pytest.mark.parametrize(
    "words",
    [
        ("--port", "70000"),
        ("--port", "http"),
        ("--key", "sk_live_abc"),
        ("--webhook-url", "ftp://example.org"),
        ("--duplicate-webhooks", "0"),
        ("--answer-after", "soon"),
    ],
)
def test_a_wrong_argument_is_refused(words: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--ledger", "x", *words])
    assert f"argument {words[0]}" in capsys.readouterr().err


def test_a_configuration_is_its_own_command_line(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    words = ["--port", "1", "--ledger", str(tmp_path), "--webhook-url", "http://a/", "--secret=-s", "--merchant=-m"]
    words += ["--drop-webhooks", "--duplicate-webhooks", "3", "--answer-after", "1.5", "--bank-debit", "2"]
    for given in (words, ["--ledger", str(tmp_path)]):
        config = config_from(parser.parse_args(given))
        assert config_from(parser.parse_args(config.words())) == config


def test_manage_py_becomes_the_stand_in(tmp_path: Path) -> None:
    words = [sys.executable, "manage.py", "stripe_standin", "--port", "0", "--ledger", str(tmp_path / "ledger.sqlite3")]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            assert re.match(r"Stripe stand-in on http://127\.0\.0\.1:[0-9]+ ", line)
            client = stripe.StripeClient("sk_test_standin", base_addresses={"api": line.split()[3]})
            assert client.v1.balance.retrieve().object == "balance"
        finally:
            process.terminate()
        assert process.wait(20) == 0


def test_it_ends_cleanly_and_leaves_no_process(tmp_path: Path) -> None:
    with running_standin(tmp_path) as standin:
        assert standin.process is not None
        process_id = standin.process.pid
        assert standin.stop() == 0
        assert not still_alive(process_id)
        assert standin.log_path.read_text() == ""


def test_it_listens_on_loopback_only(standin: StandIn) -> None:
    port = int(standin.url.rpartition(":")[2])
    sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = {words[1] for words in sockets if words[3] == "0A"}
    assert {address for address in listening if int(address.partition(":")[2], 16) == port} == {f"0100007F:{port:04X}"}


def test_no_card_or_account_number_is_ever_written_down(tmp_path: Path) -> None:
    with running_standin(tmp_path, None, "--bank-debit", "0") as standin:
        payer = payer_for(standin)
        numbers = [card.number for card in TEST_CARDS] + ["4111 1111 1111 1111", "4242424242424241"]
        for number in numbers:
            submit(payer.open_checkout(order()).url, number, cvc="1234" if number.startswith("3") else "987")
        post(f"{payer.open_checkout(order()).url}/bank", {"bank_name": "Anna", "iban": IBAN_THAT_PAYS})
        standin.stop()
        written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"4242" in written  # the last four digits may stay
    assert b"payment refused" in written
    assert IBAN_THAT_PAYS[4:].encode() not in written
    assert [number for number in numbers if number.replace(" ", "").encode() in written] == []
    # Whole words: among the digits of random names one in a few thousand passes Luhn's check.
    found = {match for match in re.findall(rb"(?<![0-9A-Za-z])[0-9]{13,19}(?![0-9A-Za-z])", written)}
    assert [digits for digits in found if passes_luhn(digits.decode())] == []
