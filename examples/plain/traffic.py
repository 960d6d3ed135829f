"""Calls the model through Outrider: ``python traffic.py [--feet]``. With ``--feet`` areas come in square feet: drift."""

import http.client
import json
import random
import sys
import time


def main() -> None:
    """Send 40 calls a second for 25 seconds, one house each."""
    square_feet = "--feet" in sys.argv
    houses = random.Random(2 if square_feet else 1)  # noqa: S311 - not for secrets
    connection = http.client.HTTPConnection("127.0.0.1", 8000)
    for _ in range(1000):
        area = houses.lognormvariate(4.6, 0.4) * (10.764 if square_feet else 1)
        house = {"area_m2": round(area, 1), "age_years": houses.randint(0, 80)}
        body = json.dumps({"instances": [house]})
        connection.request("POST", "/v1/models/houses:predict", body, {"content-type": "application/json"})
        connection.getresponse().read()
        time.sleep(0.025)


if __name__ == "__main__":
    main()
