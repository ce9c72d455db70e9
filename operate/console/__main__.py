"""`python -m operate.console`: serves the page until SIGTERM."""

from types import FrameType

import uvicorn
from fastapi import FastAPI

from operate.console.app import app
from operate.console.settings import Settings


class Server(uvicorn.Server):
    """Ends the streams of changes first: they have no end of their own that it could wait for."""

    def __init__(self, made: FastAPI, settings: Settings) -> None:
        super().__init__(
            uvicorn.Config(
                made,
                host=settings.http_host,
                port=settings.http_port,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=3,
            )
        )
        self._closing = made.state.closing

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._closing.set()
        super().handle_exit(sig, frame)


if __name__ == "__main__":
    settings = Settings()
    Server(app(settings), settings).run()
