"""The plant of real processes that the fault tests have; a test that fails gets the next one a fresh plant."""

from tests.faults.conftest import plant, plants, postgres_plant

__all__ = ["plant", "plants", "postgres_plant"]
