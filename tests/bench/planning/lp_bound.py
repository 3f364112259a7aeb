"""A makespan that no plan can beat: the work spread over all drives, discs cut into fractions, nothing fetched."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from scipy.optimize import linprog
from scipy.sparse import coo_array

from fulfillment.simulation.capacity import disc_seconds
from fulfillment.simulation.workload import Workload


@dataclass
class _Rows:
    """Coefficients of constraints, as they come."""

    values: list[float] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)

    def add(self, row: int, column: int, value: float) -> None:
        self.values.append(value)
        self.rows.append(row)
        self.columns.append(column)

    def matrix(self, height: int, width: int) -> coo_array:
        return coo_array((self.values, (self.rows, self.columns)), shape=(height, width))


def makespan_bound(workload: Workload) -> float:
    """Seconds from 0 that all discs take at least, the mean over noise; 0 where nothing is ordered.

    min T, where x[image, writer] ≥ 0 are discs: for each image all of its copies are made, and for each writer
    the seconds of its discs are at most its drives × T. Arrivals, outages and blanks could only make it longer.
    """
    copies: Counter[str] = Counter()
    for order in workload.orders:
        for line in order.lines:
            copies[line.image] += line.copies
    wanted = [image for image in workload.images if copies[image.id]]
    if not wanted:
        return 0.0
    made, busy, column = _Rows(), _Rows(), 1  # column 0 is T
    for row, image in enumerate(wanted):
        for number, writer in enumerate(workload.writers):
            if image.format in writer.formats and image.bytes <= writer.cache_bytes:
                made.add(row, column, 1.0)
                busy.add(number, column, disc_seconds(writer, image))
                column += 1
    for number, writer in enumerate(workload.writers):
        busy.add(number, 0, -writer.drives)
    writers = len(workload.writers)
    solved = linprog(
        [1.0] + [0.0] * (column - 1),
        A_ub=busy.matrix(writers, column),
        b_ub=[0.0] * writers,
        A_eq=made.matrix(len(wanted), column),
        b_eq=[copies[image.id] for image in wanted],
        method="highs",
    )
    if not solved.success:
        raise RuntimeError(f"The linear programme was not solved: {solved.message}")
    return float(solved.fun)
