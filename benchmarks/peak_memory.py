"""Print how much memory one side needs at most, in MB: ``python peak_memory.py sides Course``.

It loads the digits, trains 784-20-10 for one epoch and reads the test images, in this process.
"""

import sys
from importlib import import_module
from pathlib import Path

from course_utils import load_mnist


def main():
    """Do the work of the side that the command line names, and print the peak."""
    file, name = sys.argv[1:]
    (X, y), (X_test, y_test) = load_mnist()
    side = getattr(import_module(file), name)([784, 20, 10], X, y, batch_size=100)
    side.epoch(0)
    side.accuracy(X_test, y_test)
    print(peak_megabytes())


def peak_megabytes():
    """Return the peak of this process, or "unknown" where the system does not tell it so far."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux; getrusage there counts the process that started this one, too
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return "unknown"


if __name__ == "__main__":
    main()
