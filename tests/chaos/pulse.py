"""`python -m tests.chaos.pulse URL SECONDS`: ask an address every 20 ms, in a process of its own, and print the 99th
percentile of the response times in milliseconds."""

import sys
import time
from statistics import quantiles

import httpx


def main() -> None:
    url, until = sys.argv[1], time.monotonic() + float(sys.argv[2])
    took = []
    with httpx.Client() as http:
        while time.monotonic() < until:
            since = time.monotonic()
            http.get(url, timeout=10).raise_for_status()
            took.append(time.monotonic() - since)
            time.sleep(0.02)
    sys.stdout.write(f"p99 {1000 * quantiles(took, n=100)[-1]:.0f} ms of {len(took)}\n")


if __name__ == "__main__":
    main()
