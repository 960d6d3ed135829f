"""A model behind LitServe, with a route and a body of its own: ``python model.py [PORT]``, on 127.0.0.1:8080 by itself."""

import signal
import sys

import litserve
from pydantic import BaseModel


class House(BaseModel):
    """What is known of a house."""

    area_m2: float
    age_years: float


class Question(BaseModel):
    """What clients send."""

    houses: list[House]


class Answer(BaseModel):
    """What they get: a price each, in thousands."""

    prices: list[float]


def price(area_m2: float, age_years: float) -> float:
    """Estimate the price of a house."""
    return 40 + 2.5 * area_m2 - 0.6 * age_years


class Houses(litserve.LitAPI):  # type: ignore[misc]  # known only where LitServe is installed
    """LitServe wants these names of the arguments, and reads the types for its OpenAPI document."""

    def setup(self, device: str) -> None:
        """Load nothing."""

    def decode_request(self, request: Question) -> list[House]:
        """Take the rows."""
        return request.houses

    def predict(self, x: list[House]) -> list[float]:
        """Estimate each."""
        return [price(house.area_m2, house.age_years) for house in x]

    def encode_response(self, output: list[float]) -> Answer:
        """Write the answer."""
        return Answer(prices=output)


if __name__ == "__main__":
    # LitServe ends its processes on Ctrl-C; on SIGTERM it would leave them behind, still listening.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    server = litserve.LitServer(Houses(), accelerator="cpu")
    server.run(host="127.0.0.1", port=int(sys.argv[1]) if len(sys.argv) > 1 else 8080, generate_client_file=False)
