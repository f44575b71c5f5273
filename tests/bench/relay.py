"""What people write when they need a stream of tokens: FastAPI, httpx, a loop over lines.

It stores nothing, knows nobody, calls no tool, and forgets the answer with the connection. Its
frames look like ours, so that one client reads both.
"""

import json
import os
from collections.abc import AsyncIterator

import httpx
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

URL = f"{os.environ['LLM_BASE_URL']}/chat/completions"

app = FastAPI()
# Not the defaults: its hundred connections and five seconds would fail the larger shapes.
client = httpx.AsyncClient(timeout=None, limits=httpx.Limits(max_connections=None))


class Question(BaseModel):
    message: str


@app.get("/healthz")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/chat/stream")
async def chat_stream(question: Question) -> StreamingResponse:
    return StreamingResponse(relay(question.message), media_type="text/event-stream")


async def relay(message: str) -> AsyncIterator[str]:
    body = {
        "model": "bench",
        "stream": True,
        "messages": [{"role": "user", "content": message}],
    }
    content = ""
    async with client.stream("POST", URL, json=body) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            if not line.startswith("data: ") or line == "data: [DONE]":
                continue
            delta = json.loads(line.removeprefix("data: "))["choices"][0]["delta"]
            if text := delta.get("content"):
                content += text
                yield f"event: content\ndata: {json.dumps({'content': text})}\n\n"
    yield f"event: done\ndata: {json.dumps({'content': content})}\n\n"
