"""`crm` under cProfile: SIGUSR1 begins to count calls, SIGUSR2 ends that and writes the file.

python -m benchmarks.profiled FILE serve …
"""

import cProfile
import signal
import sys
from pathlib import Path

from crm_framework.cli import main

if __name__ == "__main__":
    file = Path(sys.argv.pop(1))
    counter = cProfile.Profile()

    def begin(*_: object) -> None:
        counter.clear()
        counter.enable()

    def end(*_: object) -> None:
        counter.disable()
        half = file.with_suffix(".part")
        counter.dump_stats(half)
        half.rename(file)

    signal.signal(signal.SIGUSR1, begin)
    signal.signal(signal.SIGUSR2, end)
    main()
