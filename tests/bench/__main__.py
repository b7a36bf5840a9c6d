"""`python -m tests.bench [NAME …] [--quick]`: speed and size, measured from outside, beside peers in the same run."""

import argparse
import asyncio
import os
import platform
from collections.abc import Callable, Coroutine
from pathlib import Path

from tests.bench import checks, events, everything, exposition, memory, reaction, stack, start

MEASURES: dict[str, Callable[[float], Coroutine[None, None, str]]] = {
    "start": lambda share: start.measure(max(3, int(20 * share))),
    "reaction": lambda share: reaction.measure(int(1000 * share)),
    "stack": lambda share: stack.measure(int(100 * share)),
    "checks": lambda share: checks.measure(300 * share),
    "events": lambda share: events.measure(int(200 * share)),
    "exposition": lambda share: exposition.measure(int(200 * share)),
    "memory": lambda share: memory.measure(600 * share),
    "everything": lambda share: everything.measure(300 * share),
}


def main() -> None:
    """Run what is named, or all, one after the other; nothing else should run on the machine meanwhile."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(MEASURES)}; all when none is given")
    parser.add_argument("--quick", action="store_true", help="a twentieth of the rounds, to see that it works")
    options = parser.parse_args()
    if unknown := set(options.names) - MEASURES.keys():
        parser.error(f"got {', '.join(sorted(unknown))}, expected {', '.join(MEASURES)}")
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} x {_processor()}")
    print(f"load average {os.getloadavg()[0]:.2f}" + (", quick: figures of too few rounds" if options.quick else ""))
    for name, measure in MEASURES.items():
        if not options.names or name in options.names:
            print(f"\n== {name}", flush=True)
            print(asyncio.run(measure(0.05 if options.quick else 1.0)), flush=True)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())


if __name__ == "__main__":
    main()
