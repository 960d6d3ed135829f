"""A model server of one screen, for trying Outrider out: KServe V1 on 127.0.0.1:8080, nothing but the standard library."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def price(house: dict[str, float]) -> float:
    """Estimate the price of a house, in thousands."""
    return 40 + 2.5 * house["area_m2"] - 0.6 * house["age_years"]


class Model(BaseHTTPRequestHandler):
    """Answers ``POST /v1/models/houses:predict``."""

    protocol_version = "HTTP/1.1"  # keep-alive
    wbufsize = -1  # head and body leave together

    def do_POST(self) -> None:
        """Predict each instance."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        answer = json.dumps({"predictions": [price(house) for house in body["instances"]]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", 8080), Model).serve_forever()
