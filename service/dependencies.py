"""What routes ask for by naming its type."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from service.translation import TranslationService


def _service(request: Request) -> TranslationService:
    service = request.app.state.service
    assert isinstance(service, TranslationService)
    return service


Service = Annotated[TranslationService, Depends(_service)]
"""The service of the app that the request came to; there from the lifespan's start on."""
