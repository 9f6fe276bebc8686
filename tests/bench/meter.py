"""Runs programs one at a time on chosen cores, and tells what else ran there meanwhile."""

import dataclasses
import os
import pathlib
import subprocess
import sys
import time


@dataclasses.dataclass(frozen=True)
class Run:
    output: bytes
    wall_s: float
    peak_bytes: int
    foreign_cores: float  # of the chosen ones, that others (of the host too) kept busy


class Meter:
    def __init__(self, threads):
        self.cores = sorted(os.sched_getaffinity(0))[:threads]
        self.environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}

    def run(self, command, **options):
        """Ends this program if the other one fails."""
        busy, begin = busy_seconds(self.cores), time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command],
            env=self.environment,
            preexec_fn=lambda: os.sched_setaffinity(0, self.cores),
            stdout=subprocess.PIPE,
            **options,
        )
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - begin
        if process.returncode != 0:
            sys.exit(f"{command[0]} ended with {process.returncode}")
        foreign = busy_seconds(self.cores) - busy - usage.ru_utime - usage.ru_stime
        return Run(output, wall, usage.ru_maxrss * 1024, max(0.0, foreign / wall))


def busy_seconds(cores):
    """Of all processes on these cores since the machine's start, and what the host took away."""
    ticks = 0
    for line in pathlib.Path("/proc/stat").read_text().splitlines():
        name, *counts = line.split()
        if name in {f"cpu{core}" for core in cores}:
            user, nice, system, _, _, irq, softirq, steal = map(int, counts[:8])
            ticks += user + nice + system + irq + softirq + steal
    return ticks / os.sysconf("SC_CLK_TCK")
