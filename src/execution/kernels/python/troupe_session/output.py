"""What user code prints and shows, on its way to the service.

Kept true: everything is in the order in which it was printed, whatever the stream; all of it goes before the answer; no more
chunks than granted; what waits is bounded. Where no chunk may be sent whoever prints waits, which is how the service slows code
down; a cancellation wakes it. What is printed while nothing runs is kept for the next execution, the oldest dropped and counted.

Text is sent at the end of a line, unless something was sent a moment before: then it is gathered for that moment, or until it
fills a chunk. It knows nothing of files and descriptors: `streams` does.
"""

import threading
import time
from collections import deque

#: Bytes of text of a chunk, and of what may wait for credit before whoever prints has to.
CHUNK_BYTES = 65_536
#: Chunks kept between executions.
BACKLOG_CHUNKS = 1_024
#: How long text is gathered after something was sent.
GATHER_SECONDS = 0.01
#: How long the end of a cancelled execution waits for credit before what is left is dropped.
CANCELLED_DRAIN_SECONDS = 0.25


class _Text:
    """Text of one stream, growing until it is sent."""

    __slots__ = ("stream", "at", "parts", "size")

    def __init__(self, stream):
        self.stream = stream
        self.at = now_ms()
        self.parts = []
        self.size = 0


class _Other:
    """A chunk that is no text."""

    __slots__ = ("chunk", "size")

    def __init__(self, chunk, size):
        self.chunk = chunk
        self.size = size


class Output:
    """The queue between user code and the wire."""

    def __init__(self, wire, later):
        self._wire = wire
        #: Called when text waits for no event but time: someone else has to call `due` in GATHER_SECONDS.
        self._later = later
        # A finalizer that prints may run in the middle of any of this.
        self._lock = threading.RLock()
        self._room = threading.Condition(self._lock)
        self._waiting = deque()
        #: Bytes of what waits.
        self._size = 0
        self._sending = False
        self._armed = False
        self._sent_at = 0.0
        self._job = None
        self._granted = 0
        self._giving_up = False
        #: Chunks dropped since the session began.
        self.dropped = 0
        self._untold = 0
        #: Threads that must never wait: the one that reads the wire.
        self._patient = frozenset()

    def never_block(self, thread_id):
        self._patient = self._patient | {thread_id}

    # An execution's stream.

    def begin(self, job_id, granted):
        """Opens a stream: what has been kept goes first."""
        self._giving_up = False
        self._granted = granted
        self._job = job_id
        if self._waiting:
            with self._lock:
                self._send()

    def grant(self, job_id, chunks):
        with self._lock:
            if self._job == job_id:
                self._granted += chunks
                self._send()
                self._room.notify_all()

    def give_up_waiting(self, job_id):
        """The execution is cancelled: nobody waits for credit any more; what has no room is dropped and counted."""
        with self._lock:
            if self._job == job_id:
                self._giving_up = True
                self._room.notify_all()

    def end(self, job_id):
        """Sends all that was printed and closes the stream. Whether all could be sent: else the answer must not be a result."""
        complete = True
        with self._lock:
            if not self._waiting:
                self._job = None
                return True
            self._send()
            deadline = None
            while self._waiting and self._granted == 0:
                if self._giving_up and deadline is None:
                    deadline = time.monotonic() + CANCELLED_DRAIN_SECONDS
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    self._drop_all()
                    complete = False
                    break
                self._room.wait(left)
                self._send()
            self._job = None
        return complete

    # What comes in.

    def write(self, stream, text, flush, check):
        """Takes text. `check` is called when a wait was ended by a cancellation: it may raise."""
        step = CHUNK_BYTES if text.isascii() else CHUNK_BYTES // 4  # A character is 4 bytes at most.
        length = len(text)
        if length <= step:
            self._add(stream, text, flush, check)
            return
        for at in range(0, length, step):
            self._add(stream, text[at : at + step], flush, check)

    def _add(self, stream, text, flush, check):
        with self._lock:
            self._append(stream, text)
            if self._job is None:
                self._trim()
                return
            if flush or self._size >= CHUNK_BYTES or self._is_quiet():
                self._send()
            elif not self._armed:
                self._armed = True
                self._later()
            self._await_room(check)

    def flush(self, check):
        with self._lock:
            if self._job is not None and self._waiting:
                self._send()
                self._await_room(check)

    def chunk(self, chunk, check=None, size=256):
        """Takes a chunk that is no text, of about so many bytes, behind all that was printed before."""
        chunk.setdefault("at", now_ms())
        with self._lock:
            self._waiting.append(_Other(chunk, size))
            self._size += size
            if self._job is None:
                self._trim()
            else:
                self._send()
                self._await_room(check)

    def due(self):
        """Sends what has been gathered."""
        with self._lock:
            self._armed = False
            if self._job is not None:
                self._send()

    @property
    def armed(self):
        return self._armed

    def _append(self, stream, text):
        size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        last = self._waiting[-1] if self._waiting else None
        if type(last) is not _Text or last.stream != stream or last.size + size > CHUNK_BYTES:
            last = _Text(stream)
            self._waiting.append(last)
        last.parts.append(text)
        last.size += size
        self._size += size

    def _is_quiet(self):
        last = self._waiting[-1]
        return last.parts[-1].endswith("\n") and time.monotonic() - self._sent_at >= GATHER_SECONDS

    def _await_room(self, check):
        """Waits until less than a chunk waits to be sent. The lock is held."""
        while self._size >= CHUNK_BYTES or len(self._waiting) > BACKLOG_CHUNKS:
            if self._job is None or self._sending or threading.get_ident() in self._patient:
                self._trim()
                return
            if self._giving_up:
                self._drop_to_room()
                if check is not None:
                    check()
                return
            self._room.wait()

    # What goes out. The lock is held.

    def _send(self):
        if self._sending:  # Whoever sends already goes on with what has been added.
            return
        self._sending = True
        try:
            while self._waiting and self._granted > 0:
                self._granted -= 1
                chunk = self._next()
                self._wire.write(self._wire.frame({"kind": "chunk", "id": self._job, "value": chunk}))
            self._sent_at = time.monotonic()
        finally:
            self._sending = False

    def _next(self):
        first = self._waiting.popleft()
        self._size -= first.size
        if type(first) is _Other:
            return first.chunk
        chunk = {"kind": "output", "stream": first.stream, "at": first.at, "text": "".join(first.parts)}
        if self._untold:
            chunk["dropped"] = self._untold
            self._untold = 0
        return chunk

    def _trim(self):
        """Between executions: the oldest go."""
        while len(self._waiting) > BACKLOG_CHUNKS:
            self._drop_oldest()

    def _drop_to_room(self):
        while self._waiting and (self._size >= CHUNK_BYTES or len(self._waiting) > BACKLOG_CHUNKS):
            self._drop_oldest()

    def _drop_all(self):
        while self._waiting:
            self._drop_oldest()

    def _drop_oldest(self):
        self._size -= self._waiting.popleft().size
        self.dropped += 1
        self._untold += 1


def now_ms():
    return int(time.time() * 1_000)
