"""The wire: frames of a 4-byte length and JSON, as docs/PROTOCOL.md has them.

Kept true: a frame is written whole and by one thread at a time, also when a finalizer of the user's prints in the middle of
one; what the service would refuse is refused here; the descriptors are high, closed on exec, and gone in a forked child;
when the service is gone this process is too, with all it started. It knows nothing of what messages mean, save their ends.
"""

import json
import os
import sys
import threading
import time
from collections import deque

EXIT_PROTOCOL = 76
PROTOCOL_VERSION = 1

_DESCRIPTORS_VARIABLE = "TROUPE_PROTOCOL_FDS"
_PARENT_VARIABLE = "TROUPE_PARENT_PID"
_FORBIDDEN_KEYS = frozenset(("__proto__", "constructor", "prototype"))
#: What JavaScript reads as the number that was written.
_LARGEST_INTEGER = 2**53 - 1
_READ_BYTES = 65_536
_MOST_READ_BYTES = 1_048_576
#: Where descriptors are moved to: far from the small numbers that user code closes or reuses; lower where the limit is low.
_HIGH_DESCRIPTORS = (1_000, 240, 60, 16)

_decode = json.JSONDecoder().scan_once
_encode_ascii = json.JSONEncoder(allow_nan=False, separators=(",", ":"), check_circular=False).encode


def _text_encoder():
    """An encoder of UTF-8 text. json makes a new one of C for every message; one is enough, and half of the time."""
    plain = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), check_circular=False)
    make, quote = json.encoder.c_make_encoder, json.encoder.encode_basestring
    try:
        encode = make(None, plain.default, quote, None, ":", ",", False, False, False)
        if "".join(encode({"é": [1.5, None]}, 0)) == plain.encode({"é": [1.5, None]}):
            return lambda message: "".join(encode(message, 0))
    except TypeError:  # There is none, or it is made otherwise in this Python.
        pass
    return plain.encode


_encode_text = _text_encoder()


class Unsendable(Exception):
    """A value that would not arrive as it is."""


class Wire:
    """Both directions, on descriptors that user code does not meet."""

    def __init__(self):
        bind_to_parent()
        self._input, self._output, self.lifeline = _take_descriptors()
        self._buffer = b""
        self._at = 0
        self._frames = deque()
        self._lock = threading.RLock()
        self._writing = False
        self.max_frame_bytes = 10 * 1_048_576
        self.max_depth = 64
        os.register_at_fork(after_in_child=self._close)

    def read(self):
        """The next message, or None where the input has ended. By one thread at a time."""
        header = self._take(4)
        if header is None:
            return None
        body = self._take(int.from_bytes(header, "big"))
        return None if body is None else _decode(body.decode("utf-8"), 0)[0]

    def say(self, message):
        """Sends a message of the kernel's own making."""
        self.write(self.frame(message))

    def frame(self, message):
        """A message's bytes. Raises Unsendable when they are too many, ValueError or TypeError when it is no JSON."""
        try:
            body = _encode_text(message).encode("utf-8")
        except UnicodeEncodeError:  # Lone surrogates: escaped they are valid JSON.
            body = _encode_ascii(message).encode("ascii")
        if len(body) > self.max_frame_bytes:
            raise Unsendable("a frame of %d bytes exceeds the limit of %d" % (len(body), self.max_frame_bytes))
        return len(body).to_bytes(4, "big") + body

    def write(self, frame):
        with self._lock:
            self._frames.append(frame)
            if self._writing:  # A finalizer that prints, run by this very thread in the middle of the loop below.
                return
            self._writing = True
            try:
                while self._frames:
                    self._put(self._frames.popleft())
            finally:
                self._writing = False

    def _put(self, frame):
        rest = memoryview(frame)
        while rest:
            try:
                rest = rest[os.write(self._output, rest) :]
            except BlockingIOError:
                time.sleep(0.001)
            except OSError:
                orphaned()

    def _take(self, size):
        """So many bytes of the input, from what has been read and what has not."""
        end = self._at + size
        if end <= len(self._buffer):
            data = self._buffer[self._at : end]
            self._at = end
            return data
        pieces = [self._buffer[self._at :]]
        missing = size - len(pieces[0])
        while missing > 0:
            try:
                piece = os.read(self._input, max(_READ_BYTES, min(missing, _MOST_READ_BYTES)))
            except OSError:
                return None
            if not piece:
                return None
            pieces.append(piece)
            missing -= len(piece)
        data = pieces[1] if not pieces[0] and len(pieces) == 2 else b"".join(pieces)
        self._buffer = data
        self._at = size
        return data[:size]

    def _close(self):
        """In a forked child: it is no session, and must not be taken for one."""
        for descriptor in (self._input, self._output, self.lifeline):
            if descriptor is not None:
                try:
                    os.close(descriptor)
                except OSError:
                    pass


def check_sendable(value, depth, where="value"):
    """Raises Unsendable unless a value is JSON that arrives in JavaScript as it is."""
    if value is None or isinstance(value, (str, bool)):
        return
    if isinstance(value, int):
        if not -_LARGEST_INTEGER <= value <= _LARGEST_INTEGER:
            raise Unsendable("%s is an integer that JSON's readers round" % (where,))
    elif isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise Unsendable("%s is %r" % (where, value))
    elif isinstance(value, (dict, list, tuple)):
        _check_nested(value, depth, where)
    else:
        raise Unsendable("%s is a %s" % (where, type(value).__qualname__))


def _check_nested(value, depth, where):
    if depth <= 0:
        raise Unsendable("%s nests too deeply, or in a circle" % (where[:200],))
    if not isinstance(value, dict):
        for index, item in enumerate(value):
            check_sendable(item, depth - 1, "%s[%d]" % (where, index))
        return
    for key, item in value.items():
        if not isinstance(key, str):
            raise Unsendable("%s has a key that is a %s" % (where, type(key).__qualname__))
        if key in _FORBIDDEN_KEYS:
            raise Unsendable("%s.%s is a key that is never sent" % (where, key))
        check_sendable(item, depth - 1, "%s.%s" % (where, key))


def move_high(descriptor, close=True):
    """The same, under a number that user code does not meet and that nothing it starts inherits."""
    import fcntl

    for least in _HIGH_DESCRIPTORS:
        try:
            moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, least)
        except OSError:  # The limit on open files is lower than that.
            continue
        if close:
            os.close(descriptor)
        return moved
    os.set_inheritable(descriptor, False)
    return descriptor


def _take_descriptors():
    named = os.environ.pop(_DESCRIPTORS_VARIABLE, None)
    if named is None:
        sys.stderr.write("a session kernel is started by troupe, not by hand (%s is not set)\n" % _DESCRIPTORS_VARIABLE)
        sys.exit(2)
    if named == "stdio":
        reading, writing, lifeline = move_high(0, close=False), move_high(1, close=False), None
        os.dup2(2, 1)
    else:
        reading, writing = (move_high(int(each)) for each in named.split(","))
        lifeline = move_high(0, close=False)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    if nothing != 0:
        os.close(nothing)
    return reading, writing, lifeline


def bind_to_parent():
    """Has the kernel end this process with its parent, where the service wants that."""
    parent = os.environ.pop(_PARENT_VARIABLE, None)
    if parent is None:
        return
    import ctypes
    import signal

    PR_SET_PDEATHSIG = 1
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        die(1, "PR_SET_PDEATHSIG failed: %s" % (os.strerror(ctypes.get_errno()),))
    if os.getppid() != int(parent):  # It died before it could be asked for.
        orphaned()


def orphaned():
    """The service has died: nobody wants the work, nor what it started."""
    try:
        if os.getpgrp() == os.getpid():
            os.killpg(os.getpid(), 9)
    except (AttributeError, OSError):
        pass
    _exit(0)


def die(code, why):
    try:
        os.write(log_descriptor, ("session_kernel: %s\n" % (why,)).encode("utf-8", "backslashreplace"))
    except OSError:
        pass
    _exit(code)


#: Where the kernel itself complains: descriptor 2, until user code's is captured.
log_descriptor = 2

#: Kept from before user code could replace it.
_exit = os._exit
