"""`python -m tests.bench [NAME …] [--quick]`: speed, outside the tests, as ratios to peers in the same run."""

import argparse
import asyncio
import os
import platform
from pathlib import Path

from tests.bench import memory, reaction, stack, start


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", help="reaction, stack, start, memory; all when none is given")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rounds, to see that it works")
    options = parser.parse_args()
    share = 0.1 if options.quick else 1.0
    measures = {
        "start": lambda: start.measure(max(3, int(20 * share))),
        "reaction": lambda: reaction.measure(int(1000 * share)),
        "stack": lambda: stack.measure(int(100 * share)),
        "memory": lambda: memory.measure(600 * share),
    }
    cpu = next((x.partition(":")[2].strip() for x in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in x), "")
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} x {cpu or platform.machine()}")
    for name, run in measures.items():
        if not options.names or name in options.names:
            print(f"\n== {name}", flush=True)
            print(asyncio.run(run()), flush=True)


if __name__ == "__main__":
    main()
