"""Make a language model of half a megabyte: random weights, which answer with random words. ``python make_model.py FILE``."""

import sys

import gguf
import numpy as np

TEXT = "a an and as at be by for from has he in is it its of on that the to was were will with"
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
TOKENS = ["<unk>", "<s>", "</s>", *BYTES, "▁", *(f"▁{word}" for word in TEXT.split())]
WIDTH, INNER, HEADS, BLOCKS = 64, 128, 4, 2
CHAT = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}assistant:"


def shapes() -> dict[str, tuple[int, ...]]:
    """Name the tensors of a small Llama."""
    found: dict[str, tuple[int, ...]] = {"token_embd": (len(TOKENS), WIDTH), "output": (len(TOKENS), WIDTH)}
    found["output_norm"] = (WIDTH,)
    for block in range(BLOCKS):
        found |= {f"blk.{block}.attn_{part}": (WIDTH, WIDTH) for part in ("q", "k", "v", "output")}
        found |= {f"blk.{block}.ffn_{part}": (INNER, WIDTH) for part in ("gate", "up")}
        found[f"blk.{block}.ffn_down"] = (WIDTH, INNER)
        found |= {f"blk.{block}.{part}_norm": (WIDTH,) for part in ("attn", "ffn")}
    return found


def main(path: str) -> None:
    """Write the file; the same one every time."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(8192)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(BLOCKS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    kind = gguf.TokenType
    words = len(TOKENS) - 3 - len(BYTES)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(TOKENS)
    writer.add_token_scores([0.0] * len(TOKENS))
    writer.add_token_types([kind.UNKNOWN, kind.CONTROL, kind.CONTROL, *[kind.BYTE] * len(BYTES), *[kind.NORMAL] * words])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(CHAT)
    random = np.random.default_rng(4)
    for name, shape in shapes().items():
        weights = random.normal(0, WIDTH**-0.5, shape) if len(shape) > 1 else np.ones(shape)
        if name == "output":  # words are written; bytes are only read
            weights[2:] *= 6
            weights[3 : 3 + len(BYTES)] = 0
        writer.add_tensor(f"{name}.weight", weights.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main(sys.argv[1])
