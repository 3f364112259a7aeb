"""Which images a writer may fetch."""

from __future__ import annotations

from devices.intake import ImageRef
from devices.wishes import drop_image, have_image, withdraw
from fulfillment.files import image_for
from tests.scene import Plant, make_image


def test_a_writer_may_have_what_is_wanted_on_its_disk_until_it_is_there_or_taken_back(plant: Plant) -> None:
    image = make_image()
    ref = ImageRef(str(image.sha256), int(image.size or 0), image.layout)
    sha256 = ref.sha256
    assert image_for(plant.writer, sha256) is None
    request = have_image(plant.writer, ref, title="", actor="test", now=plant.now)
    assert image_for(plant.writer, sha256) == image
    assert image_for(plant.writer, "00" * 32) is None
    assert withdraw(request, why="", actor="test", now=plant.now)
    assert image_for(plant.writer, sha256) is None
    drop_image(plant.writer, ref, title="", actor="test", now=plant.now)
    assert image_for(plant.writer, sha256) is None
