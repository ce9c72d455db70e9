"""The limits of commands: the same body over the same libraries, no token and no rules. One insert;
or one insert, and then the body on a topic. And of a list: one page of a table.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request

from operate.bench.place import BARE
from services.intake.api.records import NewRecord
from shared.broker import producer
from shared.db import pool
from shared.settings import Kafka

TABLE = "create table if not exists bare (id bigint generated always as identity, data jsonb)"
INSERT = "insert into bare (data) values ($1) returning id"
PAGE = "select id from bare order by id limit 50"


@asynccontextmanager
async def _opened(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    sender = producer(Kafka.model_validate_json(os.environ["KAFKA"]))
    await sender.start()
    async with pool(os.environ["DATABASE_URL"]) as db:
        await db.execute(TABLE)
        yield {"db": db, "sender": sender}
    await sender.stop()


app = FastAPI(lifespan=_opened)


@app.post("/v1/cases/{case}/records", status_code=201)
async def record(case: str, body: NewRecord, request: Request) -> dict[str, int]:
    return {"id": await request.state.db.fetchval(INSERT, body.model_dump(mode="json"))}


@app.post("/v1/sent/{case}/records", status_code=201)
async def send(case: str, body: NewRecord, request: Request) -> dict[str, int]:
    made = await request.state.db.fetchval(INSERT, body.model_dump(mode="json"))
    await request.state.sender.send_and_wait(BARE, body.model_dump_json().encode(), case.encode())
    return {"id": made}


@app.post("/v1/bare", status_code=201)
async def keep(body: dict[str, Any], request: Request) -> dict[str, int]:
    return {"id": await request.state.db.fetchval(INSERT, body)}


@app.get("/v1/bare")
async def page(q: str, request: Request) -> list[int]:
    return [row["id"] for row in await request.state.db.fetch(PAGE)]


@app.get("/readyz")
async def readyz() -> dict[str, bool]:
    return {"ready": True}


if __name__ == "__main__":
    port = int(os.environ["HTTP_PORT"])
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning")
