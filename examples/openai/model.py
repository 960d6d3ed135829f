"""llama.cpp's own server on 127.0.0.1:8080, with chat, completions and embeddings: ``python model.py FILE [PORT]``."""

import sys
import threading

import xllamacpp


def main(path: str, port: int) -> None:
    """Serve a model."""
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.model_alias = {"tiny"}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_ctx = params.n_batch = params.n_ubatch = 8192
    params.n_parallel = 1
    params.cpuparams.n_threads = 1
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    server = xllamacpp.Server(params)
    print("listening on", server.listening_address, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 8080)
