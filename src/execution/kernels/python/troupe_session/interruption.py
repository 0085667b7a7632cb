"""Breaking into user code, from the thread that reads the wire.

Two ways. A *cancellation* is polite: awaiting code is cancelled as asyncio does it, other code is stopped at its next line; what
sleeps in native code sleeps on. An *interruption* raises where the code is, also out of a sleep. Both raise once, so that
`finally` and `except` do their work, and both only in the execution that was meant.

How: the reader signals the main thread (SIGURG, which nobody uses and which harms nobody who ignores it). Python runs the
handler between two steps of the main thread. It looks at the stack: user code, the kernel's own, or the event
loop's? Raising is allowed in user code only; elsewhere the user's frames further out are traced, which costs nothing until
then, and the tracer raises at their next line.

Kept true: the kernel's own steps are never broken; background tasks are never cancelled, and interrupted only where one holds
the thread against everyone.
"""

import os
import sys
import threading

import _signal

_KERNEL_FOLDER = os.path.dirname(os.path.abspath(__file__)) + os.sep
SIGNAL = getattr(_signal, "SIGURG", None)

#: A loop of one line may never come to another (before Python 3.12): so many steps are as good as a line.
_STEPS_OF_A_LINE = 1_000

CANCEL = "cancel"
INTERRUPT = "interrupt"


class ExecutionCancelled(KeyboardInterrupt):
    """Raised in code that was told to stop: what handles Ctrl-C handles this."""


def calling(function, *args):
    """Calls user code: inside of this call it may be broken into."""
    return function(*args)


def driving(loop):
    """Runs an event loop: what it calls back may be broken into, the loop itself may not."""
    loop.run_forever()


_CALLING = calling.__code__
_DRIVING = driving.__code__
#: Functions of the kernel that user code calls and that call user code.
_TRANSPARENT = set()


def transparent(function):
    """Marks a function of the kernel's as one that the user's code may be broken into through."""
    _TRANSPARENT.add(function.__code__)
    return function


class Interruption:
    """What was wanted of the main thread, and its delivery."""

    def __init__(self):
        self.main = threading.get_ident()
        #: The job that the main thread runs.
        self.current = None
        #: Set by `background` once there is an event loop: tells whether a job's own task is what runs now.
        self.runs_task_of = lambda job: job.task is None
        #: A job that waits behind a background task which does not let go.
        self._unblock = False
        self._traced = []
        self._outer_trace = None
        self._tracing = False
        self._steps = 0
        self.possible = SIGNAL is not None and hasattr(_signal, "pthread_kill")
        if self.possible:
            _signal.signal(SIGNAL, self._on_signal)
            _signal.signal(_signal.SIGINT, self._on_sigint)

    # From the thread that reads the wire.

    def want(self, job, kind, reason):
        """Has a job stop. It may be over by the time that anybody looks."""
        job.reason = reason
        job.cancelled = True
        job.wanted = kind
        if kind == INTERRUPT and not job.started:
            self._unblock = True
        if self.possible:
            _signal.pthread_kill(self.main, SIGNAL)

    # In the main thread.

    def begin(self, job):
        self._unblock = False
        job.started = True
        self.current = job

    def end(self):
        self.current = None
        if self._tracing:
            self._untrace()

    def take(self, job):
        """Whether something is still wanted of a job: told once, to whoever delivers it first."""
        if job.wanted is None:
            return False
        job.wanted = None
        if self._tracing:
            self._untrace()
        return True

    def check(self):
        """Where the kernel makes user code wait: raises if that code was told to stop."""
        job = self.current
        if job is None or job.wanted is None or threading.get_ident() != self.main:
            return
        if self.runs_task_of(job) and self.take(job):
            raise ExecutionCancelled(job.reason)

    def spare(self):
        """Instead: the code that waited is told in another way."""
        job = self.current
        if job is not None and threading.get_ident() == self.main and self.runs_task_of(job):
            self.take(job)

    def _on_signal(self, _number, frame):
        job = self.current
        if job is None:
            if self._unblock and place_of(frame)[0] == "callback":
                self._unblock = False
                raise ExecutionCancelled("it held the session")
            return
        kind = job.wanted
        if kind is None:
            return
        place, frames = place_of(frame)
        if place == "idle" or not frames:
            return  # Its task is cancelled by the loop; or it is over.
        if kind == INTERRUPT:
            if place == "kernel":
                self._trace_from(frames)
            else:
                self._raise(job)
        elif place != "callback" or self.runs_task_of(job):
            self._cancel(job, frame, frames)

    def _cancel(self, job, frame, frames):
        handler = _signal.getsignal(_signal.SIGINT)
        if callable(handler) and handler != self._on_sigint and handler is not _signal.default_int_handler:
            # The program has its own idea of Ctrl-C.
            if self.take(job):
                handler(_signal.SIGINT, frame)
        elif _waits_in_loop(frames):
            self._raise(job)
        else:
            self._trace_from(frames)

    def _raise(self, job):
        if self.take(job):
            raise ExecutionCancelled(job.reason)

    def _on_sigint(self, _number, frame):
        """SIGINT from elsewhere: the user's own, for the user's own code."""
        if place_of(frame)[0] in ("user", "callback"):
            raise KeyboardInterrupt()

    # Tracing: only between a cancellation and its delivery.

    def _trace_from(self, frames):
        if not self._tracing:
            self._outer_trace = sys.gettrace()
            self._tracing = True
        for frame in frames:
            frame.f_trace = self._trace
            frame.f_trace_opcodes = True
        self._traced = frames
        self._steps = 0
        sys.settrace(self._trace)

    def _untrace(self):
        self._tracing = False
        for frame in self._traced:
            frame.f_trace = None
            frame.f_trace_opcodes = False
        self._traced = []
        sys.settrace(self._outer_trace)
        self._outer_trace = None

    def _trace(self, frame, event, _arg):
        job = self.current
        if job is None or job.wanted is None:
            return None
        if event == "call":
            return None if place_of(frame)[0] == "kernel" else self._trace
        if event == "opcode":
            self._steps += 1
        if (event == "line" or self._steps > _STEPS_OF_A_LINE) and self.runs_task_of(job):
            self._raise(job)
        return self._trace


def place_of(frame):
    """Where the main thread is, and the user's frames from there outwards that may be traced."""
    frames = []
    inside_kernel = False
    while frame is not None:
        code = frame.f_code
        if code is _CALLING:
            return ("kernel" if inside_kernel else "user"), frames
        if code is _DRIVING:
            frames = _without_loop(frames)
            if not frames:
                return "idle", frames
            return ("kernel" if inside_kernel else "callback"), frames
        if not code.co_filename.startswith(_KERNEL_FOLDER):
            frames.append(frame)
        elif code not in _TRANSPARENT:
            inside_kernel = True
            frames = []
        frame = frame.f_back
    return "kernel", []


def _without_loop(frames):
    """Frames without those of the event loop itself, which are the outermost."""
    machinery = _files_of("asyncio.base_events", "asyncio.events", "selectors")
    count = len(frames)
    while count > 0 and frames[count - 1].f_code.co_filename in machinery:
        count -= 1
    return frames[:count]


def _waits_in_loop(frames):
    """Whether the code waits in an event loop of its own, as in `asyncio.run(…)`: nothing breaks there."""
    if len(frames) < 2:
        return False
    return frames[0].f_code.co_filename in _files_of("selectors") and frames[1].f_code.co_filename in _files_of(
        "asyncio.base_events"
    )


def _files_of(*names):
    found = (sys.modules.get(name) for name in names)
    return [module.__file__ for module in found if getattr(module, "__file__", None) is not None]
