"""Resource limits of a session, as the system keeps them, and what of its resources was used.

A limit that is met is an error in the code: the system's own (MemoryError, OSError), or for CPU time LimitExceeded, two seconds
before the process ends. What the system does not enforce (the number of processes, for root) is enforced where Python starts
them, as far as that goes: what other programs start is beyond it.
"""

import os
import sys
import time

import _signal

from .interruption import place_of

#: CPU seconds between the error in the code and the end of the process.
_CPU_GRACE_S = 2


class LimitExceeded(BaseException):
    """Raised in code that has used up a limit; no `except Exception` of its own holds it."""


class Limits:
    def __init__(self, limits, interruption):
        self._limits = {name: value for name, value in limits.items() if value is not None}
        self._interruption = interruption

    def apply(self):
        if not self._limits:
            return
        import resource

        def bound(which, soft, hard=None):
            _old, highest = resource.getrlimit(which)
            hard = soft if hard is None else hard
            if highest != resource.RLIM_INFINITY:
                soft, hard = min(soft, highest), min(hard, highest)
            resource.setrlimit(which, (soft, hard))

        limits = self._limits
        if "cpuS" in limits:
            seconds = max(1, int(limits["cpuS"]))
            _signal.signal(_signal.SIGXCPU, self._on_cpu)
            bound(resource.RLIMIT_CPU, seconds, seconds + _CPU_GRACE_S)
        if "memoryBytes" in limits:
            bound(resource.RLIMIT_AS, int(limits["memoryBytes"]))
        if "fileBytes" in limits:
            bound(resource.RLIMIT_FSIZE, int(limits["fileBytes"]))
        if "openFiles" in limits:
            bound(resource.RLIMIT_NOFILE, int(limits["openFiles"]))
        if "processes" in limits:
            self._bound_processes(resource, bound)

    def _text(self, name, why):
        return "%s %s: %s" % (name, self._limits[name], why)

    def _on_cpu(self, _number, frame):
        text = self._text("cpuS", "the CPU time is used up")
        if place_of(frame)[0] in ("user", "callback"):
            raise LimitExceeded(text)

    def _bound_processes(self, resource, bound):
        limit = int(self._limits["processes"])
        group = os.getpgrp()
        others = _count_of_user(os.getuid())
        if others is not None:
            # The system counts all of a user's, this session's are what comes on top.
            bound(resource.RLIMIT_NPROC, others + limit)

        def watch(event, _args):
            if event in ("os.fork", "os.forkpty", "os.posix_spawn", "subprocess.Popen", "os.spawn", "pty.spawn"):
                if _count_of_group(group) >= limit:
                    raise BlockingIOError(11, "Resource temporarily unavailable: " + self._text("processes", "met"))

        if sys.platform == "linux":
            sys.addaudithook(watch)


def _count_of_group(group):
    """Processes of a group, without its leader."""
    count = 0
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == group:
            continue
        try:
            with open("/proc/%s/stat" % name, "rb") as file:
                status = file.read()
        except OSError:
            continue
        fields = status[status.rfind(b")") + 2 :].split()
        if int(fields[2]) == group:
            count += 1
    return count


def _count_of_user(user):
    if not os.path.isdir("/proc/self/task"):
        return None
    count = 0
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            if os.stat("/proc/" + name).st_uid == user:
                count += len(os.listdir("/proc/%s/task" % name))
        except OSError:
            continue
    return count


def resident_bytes():
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1_024


def cpu_ms():
    return round(time.process_time() * 1_000, 3)
