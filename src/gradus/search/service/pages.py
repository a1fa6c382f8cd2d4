"""The pages for people: `/`, `/compare` and `/judge`, and the files that they load."""

from fastapi import FastAPI, Request
from starlette.responses import Response

from gradus.search.page.assets import Asset, load_assets
from gradus.search.service.problems import Problem
from gradus.search.service.state import Service

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)
"""Everything from here, nothing inline; and no text can become markup or code."""


def add_pages(app: FastAPI, service: Service) -> None:
    """Add the routes. What they serve is in memory, known by its name, and the same for everybody."""
    assets = load_assets()
    guarded = service.guard.open()

    def answer(request: Request, asset: Asset) -> Response:
        headers = {"etag": asset.etag, "cache-control": "no-cache", "content-security-policy": POLICY}
        if request.headers.get("if-none-match") == asset.etag:
            return Response(status_code=304, headers=headers)
        return Response(asset.content, media_type=asset.media_type, headers=headers)

    def add_page(path: str, name: str) -> None:
        @app.get(path, dependencies=guarded, include_in_schema=False)
        async def page(request: Request) -> Response:
            return answer(request, assets[name])

    for path, name in {"/": "search.html", "/compare": "compare.html", "/judge": "judge.html"}.items():
        add_page(path, name)

    @app.get("/static/{name}", dependencies=guarded, include_in_schema=False)
    async def static(request: Request, name: str) -> Response:
        if name not in assets or name.endswith(".html"):
            raise Problem(404, "not-found", "there is no such file")
        return answer(request, assets[name])
