"""Processor time of processes, from outside: all their threads, those that have ended too."""

import os
import pathlib
import re
import time

TICK_NS = 10**9 // os.sysconf("SC_CLK_TCK")


def children(pid):
    return [int(c) for c in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def total_ns(pid):
    """The clock of that process (clock_getcpuclockid(3)), in nanoseconds."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def user_and_system_ns(pid):
    """Both are told in ticks of ten milliseconds: good for their shares, not for a sum."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return int(fields[11]) * TICK_NS, int(fields[12]) * TICK_NS


def resident_kib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


class Reading:
    """What some processes have used up so far; the difference of two is what they did between."""

    def __init__(self, pids):
        self.at = time.monotonic()
        self.total = sum(total_ns(p) for p in pids)
        both = [user_and_system_ns(p) for p in pids]
        self.user, self.system = sum(u for u, _ in both), sum(s for _, s in both)

    def since(self, before):
        """(total, system, passed): nanoseconds of processor time, those of them in the kernel, seconds on the clock."""
        total, user, system = self.total - before.total, self.user - before.user, self.system - before.system
        return total, total * system / max(user + system, 1), self.at - before.at
