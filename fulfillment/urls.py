from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from devices.agent.wire import DriveVerb
from fulfillment.api import FileView
from fulfillment.views import board, console, fleet, newcomers, promises, uploads, writer, writer_verbs

writer_patterns = [
    path("", writer.show, name="fleet-writer"),
    path("now/", writer.now, name="fleet-writer-now"),
    path("drain/", writer_verbs.drain, name="fleet-drain"),
    path("maintenance/", writer_verbs.start_maintenance, name="fleet-maintenance"),
    path("resume/", writer_verbs.resume, name="fleet-resume"),
    *(
        path(f"drives/<int:drive_pk>/{verb}/", writer_verbs.tell_drive(verb), name=f"fleet-drive-{verb}")
        for verb in DriveVerb
    ),
    path("drives/<int:drive_pk>/serviced/", writer_verbs.serviced, name="fleet-drive-serviced"),
    path("bins/<int:bin_pk>/put-in/", writer_verbs.put_in, name="fleet-bin-put-in"),
    path("bins/<int:bin_pk>/count/", writer_verbs.count, name="fleet-bin-count"),
    path("images/<slug:sha256>/purge/", writer_verbs.purge, name="fleet-image-purge"),
]

copy_patterns = [
    path("", console.copy, name="console-copy"),
    path("now/", console.copy_now, name="console-copy-now"),
    path("cancel/", console.cancel, name="console-cancel"),
    path("give-up/", console.give_up, name="console-give-up"),
    path("seen/", console.acknowledge, name="console-seen"),
]

console_patterns: list[URLPattern | URLResolver] = [
    path("", console.show, name="console"),
    path("going/", console.going, name="console-going"),
    path("sent/", console.sent, name="console-sent"),
    path("ended/", console.ended, name="console-ended"),
    path("start/", console.start, name="console-start"),
    path("copies/<uuid:copy_pk>/", include(copy_patterns)),
]

upload_patterns = [
    path("", uploads.create, name="uploads"),
    path("begin/", uploads.begin, name="upload-begin"),
    path("form/", uploads.send_form, name="upload-form"),
    path("files/<uuid:file_pk>/", uploads.file, name="upload-file"),
    path("<uuid:upload_pk>/give-up/", uploads.give_up, name="upload-give-up"),
    path("<uuid:upload_pk>/again/", uploads.again, name="upload-again"),
]

urlpatterns = [
    path("api/v1/writers/<uuid:writer_uuid>/files/<path:sha256>", FileView.as_view(), name="writer-file"),
    path("staff/", board.show, name="board"),
    path("staff/now/", board.now, name="board-now"),
    path("staff/what-if/", board.what_if, name="what-if"),
    path("staff/promises/", promises.show, name="promises"),
    path("plant/fleet/", fleet.show, name="fleet"),
    path("plant/fleet/cards/", fleet.cards, name="fleet-cards"),
    path("plant/fleet/add/", newcomers.add, name="fleet-add"),
    path("plant/fleet/look/", newcomers.look, name="fleet-look"),
    path("plant/fleet/add/<int:code_pk>/", newcomers.came, name="fleet-came"),
    path("plant/fleet/<uuid:writer_uuid>/", include(writer_patterns)),
    path("plant/console/", include(console_patterns)),
    path("plant/uploads/", include(upload_patterns)),
]
