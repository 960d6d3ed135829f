"""Calls the model through Outrider: ``python traffic.py [--feet]``. With ``--feet`` areas come in square feet: drift."""

import http.client
import json
import random
import sys


def main() -> None:
    """Make 100 calls of 10 houses each."""
    square_feet = "--feet" in sys.argv
    houses = random.Random(2)  # noqa: S311 - not for secrets
    connection = http.client.HTTPConnection("127.0.0.1", 8000)
    for _ in range(100):
        areas = [houses.lognormvariate(4.6, 0.4) * (10.764 if square_feet else 1) for _ in range(10)]
        body = json.dumps({"houses": [{"area_m2": round(area, 1), "age_years": houses.randint(0, 80)} for area in areas]})
        connection.request("POST", "/predict", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        prices = json.load(answer)["prices"]
        if len(prices) != len(areas):
            sys.exit(f"{len(prices)} prices for {len(areas)} houses")


if __name__ == "__main__":
    main()
