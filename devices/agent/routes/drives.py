"""`/v1/drives`: an operator's words to a drive. The drive's own thread carries them out."""

from __future__ import annotations

from fastapi import APIRouter

from devices.agent.problems import not_found
from devices.agent.routes.parts import Parts, problems
from devices.agent.seat import Seat
from devices.agent.wire import DriveFact, DriveWord


def routes(parts: Parts) -> APIRouter:
    router = APIRouter()
    press = parts.press

    def seat_of(drive: str) -> Seat:
        if drive not in press.seats:
            raise not_found(f"This writer has no drive {drive!r}.")
        return press.seats[drive]

    @router.post("/{drive}/drain", status_code=202, responses=problems(404))
    def drain(drive: str, word: DriveWord | None = None) -> DriveFact:
        seat = seat_of(drive)
        press.drain(drive, drained=True)
        return seat.fact()

    @router.post("/{drive}/resume", status_code=202, responses=problems(404))
    def resume(drive: str, word: DriveWord | None = None) -> DriveFact:
        seat = seat_of(drive)
        press.drain(drive, drained=False)
        return seat.fact()

    @router.post("/{drive}/eject", status_code=202, responses=problems(404, 409))
    def eject(drive: str, word: DriveWord | None = None) -> DriveFact:
        seat = seat_of(drive)
        seat.eject()
        return seat.fact()

    @router.post("/{drive}/loaded", status_code=202, responses=problems(404))
    def loaded(drive: str, word: DriveWord | None = None) -> DriveFact:
        seat = seat_of(drive)
        seat.loaded(word.serial if word is not None else None)
        return seat.fact()

    @router.post("/{drive}/taken-out", status_code=202, responses=problems(404))
    def taken_out(drive: str, word: DriveWord | None = None) -> DriveFact:
        seat = seat_of(drive)
        seat.taken_out(word.serial if word is not None else None)
        return seat.fact()

    return router
