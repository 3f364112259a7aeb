"""The agent's REST door: takes commands into the journal and tells what is.

Must never touch a drive: the press finds what was accepted.
"""

from __future__ import annotations

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer

from devices.agent.door import OPEN, Door
from devices.agent.problems import answer_with_problems
from devices.agent.routes import drives, images, reads, state, writes
from devices.agent.routes.parts import Parts, problems
from devices.agent.tokens import Tokens
from devices.agent.wire import PROTOCOL, About


def make_app(parts: Parts, tokens: Tokens, about: About | None) -> FastAPI:
    app = FastAPI(
        title="Spindle agent",
        version=str(PROTOCOL),
        openapi_url=OPEN,
        docs_url=None,
        redoc_url=None,
        # The door has checked the token already; this only puts it on the OpenAPI page.
        dependencies=[Depends(HTTPBearer(auto_error=False))],
        responses=problems(401, 413, 422, 507),
        strict_content_type=False,
        redirect_slashes=False,
    )
    answer_with_problems(app)
    app.include_router(state.routes(parts), prefix="/v1")
    app.include_router(images.routes(parts), prefix="/v1/images")
    app.include_router(writes.routes(parts), prefix="/v1/writes")
    app.include_router(reads.routes(parts), prefix="/v1/reads")
    app.include_router(drives.routes(parts), prefix="/v1/drives")
    app.add_middleware(Door, tokens=tokens, about=about)
    return app
