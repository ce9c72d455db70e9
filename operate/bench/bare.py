"""The limit of a command: the same body over the same libraries, and one insert. No token, no rules."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request

from services.intake.api import NewRecord
from shared.db import pool

TABLE = "create table if not exists bare (id bigint generated always as identity, data jsonb)"
INSERT = "insert into bare (data) values ($1) returning id"


@asynccontextmanager
async def _opened(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    async with pool(os.environ["DATABASE_URL"]) as db:
        await db.execute(TABLE)
        yield {"db": db}


app = FastAPI(lifespan=_opened)


@app.post("/v1/cases/{case}/records", status_code=201)
async def record(case: str, body: NewRecord, request: Request) -> dict[str, int]:
    return {"id": await request.state.db.fetchval(INSERT, body.model_dump(mode="json"))}


@app.get("/readyz")
async def readyz() -> dict[str, bool]:
    return {"ready": True}


if __name__ == "__main__":
    port = int(os.environ["HTTP_PORT"])
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning")
