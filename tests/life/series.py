"""How the machines of this folder are run: a small series in every run, a long one whose steps are counted.

Each example lives in a savepoint that is rolled back, so that thousands of them share one database and one test.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from django.db import connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, run_state_machine_as_test

# Steps of the long series, by machine; what each test has really done is counted and held against these.
LONG: Final = {"ledger": 65_000, "orders": 25_000, "jobs": 10_000, "copies": 10_000}
SHORT_LIFE: Final = 50  # steps of one example
LONG_LIFE: Final = 100


class Life(RuleBasedStateMachine):
    """A machine over the real database code. `begin` sets the scene, `check` looks at it after
    every step, `end` once all is quiet.
    """

    steps = 0  # of all examples of the class

    def __init__(self) -> None:
        super().__init__()
        self._done = -1  # the first look comes before the first step
        self._example = transaction.atomic()
        self._example.__enter__()
        try:
            self.begin()
        except BaseException:
            self._roll_back()
            raise

    def begin(self) -> None:
        """Sets the scene of one example."""

    def end(self) -> None:
        """The example is over."""

    def check(self) -> None:
        """What always holds."""

    @invariant()
    def all_holds(self) -> None:
        self._done += 1
        self.check()

    def teardown(self) -> None:
        type(self).steps += max(0, self._done)
        try:
            if not connection.needs_rollback:  # else a step has failed, and says so itself
                self.end()
                connection.check_constraints()  # PostgreSQL looks at foreign keys at the commit that never comes
        finally:
            self._roll_back()

    def _roll_back(self) -> None:
        transaction.set_rollback(True)
        self._example.__exit__(None, None, None)


def run(machine: Callable[[], Life], kind: type[Life], *, examples: int, length: int = SHORT_LIFE) -> int:
    """Runs that many examples, the same ones each time; a failing program is printed. Returns the steps done."""
    before = kind.steps
    how = settings(
        max_examples=examples,
        stateful_step_count=length,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    with _silence():
        run_state_machine_as_test(machine, settings=how)  # type: ignore[arg-type]  # takes any factory
    return kind.steps - before


def run_long(machine: Callable[[], Life], kind: type[Life], steps: int) -> None:
    """Runs at least so many steps, by count."""
    done = run(machine, kind, examples=steps // LONG_LIFE * 13 // 10, length=LONG_LIFE)
    print(f"{kind.__name__}: {done} steps")  # noqa: T201  (shown by -s, and beside a failure)
    assert done >= steps


@contextmanager
def _silence() -> Iterator[None]:
    """A hundred thousand steps would be as many lines, all of them kept by pytest."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
