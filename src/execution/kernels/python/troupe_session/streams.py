"""sys.stdout and sys.stderr of a session, and what is written to descriptors 1 and 2 behind their back.

Kept true: what a program, a C library or a forked child writes to descriptor 1 or 2 comes out as output like what is printed, in
the order of the writes where that can be known; a character is never split, however its bytes come; closing either
descriptor harms nobody but whoever writes to it next.
"""

import codecs
import io
import os
import select
import sys
import threading

from . import wire as wire_module
from .output import GATHER_SECONDS

_READ_BYTES = 65_536
#: By descriptor.
NAMES = {1: "stdout", 2: "stderr"}


class SessionStream(io.TextIOBase):
    """A text stream that ends in the output's queue."""

    def __init__(self, descriptor, printed, check):
        self._descriptor = descriptor
        self._stream = NAMES[descriptor]
        self._printed = printed
        self._check = check
        self.buffer = _Bytes(self)

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not %s" % (type(text).__name__,))
        if text:
            if type(text) is not str:
                text = str.__str__(text)
            self._printed(self._stream, text, "\r" in text, self._check)
        return len(text)

    def flush(self):
        self._printed(self._stream, "", True, self._check)

    def close(self):
        """The session's streams outlive whoever closes them."""

    def fileno(self):
        return self._descriptor

    def writable(self):
        return True

    def isatty(self):
        return False

    def reconfigure(self, **_options):
        """There is nothing to configure: text is sent in UTF-8, line by line."""

    line_buffering = True
    write_through = False
    closed = False

    @property
    def name(self):
        return "<%s>" % (self._stream,)

    @property
    def mode(self):
        return "w"

    @property
    def encoding(self):
        return "utf-8"

    @property
    def errors(self):
        return "surrogatepass"


class _Bytes(io.BufferedIOBase):
    """The bytes' door to a text stream: `sys.stdout.buffer`."""

    def __init__(self, text):
        self._text = text
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, data):
        data = bytes(data)
        text = self._decoder.decode(data)
        if text:
            self._text.write(text)
        return len(data)

    def flush(self):
        self._text.flush()

    def close(self):
        """As the text's."""

    def fileno(self):
        return self._text.fileno()

    def writable(self):
        return True

    @property
    def raw(self):
        return self


class Capture:
    """Descriptors 1 and 2 as pipes of our own, and the thread that reads them."""

    def __init__(self):
        self._output = None
        # Whoever reads the pipes holds this until the output has what was read: else two readers could turn the order around.
        self._reading = threading.RLock()
        self._waker, self._alarm = (wire_module.move_high(each) for each in os.pipe())
        for each in (self._waker, self._alarm):
            os.set_blocking(each, False)
        wire_module.log_descriptor = wire_module.move_high(2, close=False)
        self._pipes = {}
        self._keepers = {}
        self._decoders = {}
        for descriptor in NAMES:
            reading, writing = os.pipe()
            os.dup2(writing, descriptor)
            self._pipes[wire_module.move_high(reading)] = descriptor
            # Held, so that the pipe never ends and the descriptor can be given back.
            self._keepers[descriptor] = wire_module.move_high(writing)
            self._decoders[descriptor] = codecs.getincrementaldecoder("utf-8")("replace")
        self._poll = select.poll()
        for pipe in self._pipes:
            os.set_blocking(pipe, False)
            self._poll.register(pipe, select.POLLIN)
        #: The same, and whether 1 and 2 are closed: one question to the system.
        self._health = select.poll()
        for pipe in self._pipes:
            self._health.register(pipe, select.POLLIN)
        for descriptor in NAMES:
            self._health.register(descriptor, 0)

    def start(self, output, check):
        """From here on what is captured is the output's, and so is what is printed."""
        self._output = output
        self._check = check
        sys.stdout = sys.__stdout__ = SessionStream(1, self.printed, check)
        sys.stderr = sys.__stderr__ = SessionStream(2, self.printed, check)
        thread = threading.Thread(target=self._pump, name="troupe-output", daemon=True)
        thread.start()
        os.register_at_fork(after_in_child=self._in_child)

    def printed(self, stream, text, flush, check):
        """Text of a Python stream: behind whatever has been written to the descriptors before it."""
        self.drain()
        if text:
            self._output.write(stream, text, flush, check)
        else:
            self._output.flush(check)

    def drain(self):
        """Takes what the pipes hold now."""
        if not _asked(self._poll):
            return
        with self._reading:
            for pipe, descriptor in self._pipes.items():
                while self._take(pipe, descriptor):
                    pass

    def settle(self):
        """All that has been written so far is with the output, save what C's own buffers hold; descriptors are as they were."""
        if "ctypes" in sys.modules:  # Only then can user code have reached C's buffers.
            _flush_c()
        found = _asked(self._health)
        if not found:
            return
        self.drain()
        for descriptor, event in found:
            if event & select.POLLNVAL:
                os.dup2(self._keepers[descriptor], descriptor)

    def gather(self):
        """Has `due` of the output called soon."""
        try:
            os.write(self._alarm, b"!")
        except OSError:  # Full: it is awake already.
            pass

    def _take(self, pipe, descriptor):
        try:
            data = os.read(pipe, _READ_BYTES)
        except OSError:
            return False
        text = self._decoders[descriptor].decode(data)
        if text:
            self._output.write(NAMES[descriptor], text, "\r" in text, None)
        return len(data) == _READ_BYTES

    def _pump(self):
        poll = select.poll()
        for pipe in (*self._pipes, self._waker):
            poll.register(pipe, select.POLLIN)
        while True:
            ready = poll.poll()
            for pipe, _event in ready:
                if pipe != self._waker:
                    self.drain()
            if any(pipe == self._waker for pipe, _event in ready):
                select.select((), (), (), GATHER_SECONDS)
                _empty(self._waker)
                self._output.due()

    def _in_child(self):
        """A forked child has no thread to send anything: it writes to the pipes, and we read them here."""
        sys.stdout = sys.__stdout__ = _plain(1)
        sys.stderr = sys.__stderr__ = _plain(2)


def _asked(poll):
    """What a poll finds now. It takes one question at a time: where another thread is asking it, the pipes are looked into."""
    try:
        return poll.poll(0)
    except RuntimeError:
        return ((-1, select.POLLIN),)


def _plain(descriptor):
    return io.TextIOWrapper(
        io.FileIO(descriptor, "w", closefd=False), "utf-8", "backslashreplace", write_through=True
    )


def _empty(pipe):
    try:
        while len(os.read(pipe, 512)) == 512:
            pass
    except OSError:
        pass


def _flush_c():
    try:
        sys.modules["ctypes"].CDLL(None).fflush(None)
    except Exception:  # No C library of that sort, or user code has changed the module: C keeps what it keeps.
        pass
