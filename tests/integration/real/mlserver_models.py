"""Models of our own that MLServer serves, in MLServer's environment: an echo, and a text that comes back word by word."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator
from typing import Any

_mlserver = importlib.import_module("mlserver")
_strings = importlib.import_module("mlserver.codecs").StringCodec
_types = importlib.import_module("mlserver.types")


class Echo(_mlserver.MLModel):  # type: ignore[name-defined, misc]  # the base is known only in the server's environment
    """Gives the first tensor back."""

    async def predict(self, payload: Any) -> Any:
        tensor = payload.inputs[0]
        same = _types.ResponseOutput(name="same", shape=tensor.shape, datatype=tensor.datatype, data=tensor.data)
        return _types.InferenceResponse(model_name=self.name, id=payload.id, outputs=[same])


class Words(_mlserver.MLModel):  # type: ignore[name-defined, misc]  # as above
    """Answers each text with its words, one message each, 5 ms apart; the word ``fail`` breaks it."""

    async def predict_stream(self, payloads: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for payload in payloads:
            (text,) = self.decode(payload.inputs[0], default_codec=_strings)
            for word in text.split():
                if word == "fail":
                    raise ValueError("the text says so")
                await asyncio.sleep(0.005)
                yield _types.InferenceResponse(
                    model_name=self.name, id=payload.id, outputs=[_strings.encode_output("word", [word])]
                )
