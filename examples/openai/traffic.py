"""Chats with the model through Outrider: ``python traffic.py [--long]``. With ``--long`` whole documents are pasted in: drift."""

import random
import sys
from typing import Any

import openai

TEXT = "is it in the house that was on a hill with an old tree and will he be there"


def main() -> None:
    """Ask 500 short questions, every second one streamed, or 300 long ones."""
    long = "--long" in sys.argv
    draw = random.Random(2 if long else 1)  # noqa: S311 - not for secrets
    client = openai.OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="none")
    for number in range(300 if long else 500):
        text = " ".join(draw.choices(TEXT.split(), k=draw.randint(5, 20) * (8 if long else 1)))
        messages = [{"role": "system", "content": "be kind"}, {"role": "user", "content": text}]
        options: dict[str, Any] = {"model": "tiny", "messages": messages, "max_tokens": 24, "temperature": 0.9, "seed": number}
        if number % 2:
            for _ in client.chat.completions.create(**options, stream=True, stream_options={"include_usage": True}):
                pass
        else:
            client.chat.completions.create(**options)


if __name__ == "__main__":
    main()
