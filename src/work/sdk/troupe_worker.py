"""The Python side of a troupe worker: one file, standard library only, Python 3.9 or newer.

    from troupe_worker import serve_worker

    def count(args, ctx):
        return {"words": len(args["text"].split())}

    serve_worker({"count": count})

Handlers take the job's arguments and a :class:`JobContext`. Plain functions run in the main thread, one after another;
coroutine functions run side by side on an event loop of their own. Generators, of either sort, give a stream where the caller
asked for one, else a list. Meanwhile a reader thread answers pings and takes cancellations, so a busy handler is not taken for a
dead one; an interruption breaks into a plain function wherever Python code runs.

Kept true throughout: the protocol has descriptors of its own and fd 1 is one that goes to the service's log,
so that nothing that is printed can corrupt it; what handlers start does not inherit them; a frame is written
whole; every job is answered exactly once; when the parent is gone this process goes too, with all it has
started. The protocol itself is described in docs/PROTOCOL.md of the package troupe.
"""

import asyncio
import faulthandler
import inspect
import json
import os
import queue
import signal
import struct
import sys
import threading
import time
import traceback

__all__ = ["serve_worker", "JobContext", "Cancelled"]

PROTOCOL_VERSION = 1
DESCRIPTORS_VARIABLE = "TROUPE_PROTOCOL_FDS"
PARENT_VARIABLE = "TROUPE_PARENT_PID"

_EXIT_PROTOCOL = 76
_LONGEST_MESSAGE = 8_192
_LONGEST_TRACEBACK = 32_768
_FORBIDDEN_KEYS = frozenset(("__proto__", "constructor", "prototype"))
_READ_BYTES = 65_536


class Cancelled(Exception):
    """Raised by :meth:`JobContext.check`; a handler may raise it too, once it was told to stop."""


class JobContext:
    """What a handler is given beside its arguments."""

    def __init__(self, remaining_ms, log, progress, context=None):
        #: Set when the job is cancelled or the worker shuts down. Honour it, or the worker is killed.
        self.cancelled = threading.Event()
        #: Why it was cancelled, once it was.
        self.reason = None
        #: What the caller's context lets go along, by name.
        self.context = {} if context is None else context
        self._deadline = None if remaining_ms is None else time.monotonic() + remaining_ms / 1_000
        self._log = log
        self._progress = progress

    @property
    def remaining_ms(self):
        """What is left of the job's deadline now, in milliseconds; infinity without one."""
        if self._deadline is None:
            return float("inf")
        return max(0.0, (self._deadline - time.monotonic()) * 1_000)

    def check(self):
        """Raises :class:`Cancelled` if the job was cancelled: call it between steps of long work."""
        if self.cancelled.is_set():
            raise Cancelled(self.reason)

    def log(self, text, level="info"):
        """Puts a line into the service's log. Levels: debug, info, warn, error."""
        self._log(str(text), level)

    def progress(self, value):
        """Tells the caller how far the job is: any JSON. What cannot be sent fails the job."""
        self._progress(value)


class _Interrupted(BaseException):
    """Raised inside a plain function that is broken into; no ``except Exception`` of its own holds it."""


class _Job:
    def __init__(self, job_id, handler, args, granted):
        self.id = job_id
        self.handler = handler
        self.args = args
        self.context = None
        self.task = None
        self.interrupted = False
        #: Chunks that may be sent; None where no stream was asked for.
        self.granted = granted
        self.grants = threading.Condition()
        self.granted_async = None


class InvalidResult(Exception):
    """A value that would not arrive as it is."""


def serve_worker(handlers):
    """Serves jobs until the parent says shutdown, then returns. Call it from the main thread.

    Raises TypeError for handlers that are none, and RuntimeError when this process was not started by a pool.
    """
    if not handlers:
        raise TypeError("serve_worker: a worker needs at least one handler")
    for name, handler in handlers.items():
        if not isinstance(name, str) or not callable(handler):
            raise TypeError("serve_worker: %r must be a name with a function, got %r" % (name, handler))
    _bind_to_parent()
    _Served(dict(handlers)).serve()


class _Served:
    def __init__(self, handlers):
        self._handlers = handlers
        self._input, self._output, lifeline = _take_descriptors()
        self._writing = threading.Lock()
        self._jobs = {}
        self._jobs_lock = threading.Lock()
        self._waiting = queue.SimpleQueue()
        self._loop = None
        #: The plain function that the main thread runs.
        self._current = None
        self._was_interrupted = False
        self._capabilities = ["stream", "progress"]
        self._greeted = False
        self._leaving = False
        self._max_frame_bytes = 10 * 1_048_576
        self._max_depth = 64
        faulthandler.enable()
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(line_buffering=True, errors="backslashreplace")
        if lifeline is not None:
            threading.Thread(target=_watch, args=(lifeline,), name="troupe-lifeline", daemon=True).start()

    # The main thread: plain functions, one after another.

    def serve(self):
        try:
            signal.signal(signal.SIGINT, self._on_interrupt)
            self._capabilities.append("interrupt")
        except ValueError:  # Not called from the main thread: nothing can break into it.
            pass
        threading.Thread(target=self._read, name="troupe-reader", daemon=True).start()
        while True:
            job = self._waiting.get()
            if job is None:
                return
            try:
                self._current = job
                value = self._call(job)
                self._current = None
            except _Interrupted as error:
                self._current = None
                self._failed(job, error)
            except Exception as error:
                self._current = None
                self._failed(job, error)
            else:
                self._succeeded(job, value)

    def _call(self, job):
        job.context.check()
        if job.interrupted:
            raise _Interrupted()
        value = job.handler(job.args, job.context)
        if inspect.isasyncgen(value):
            value = self._stream_async(job, value)
        if inspect.isawaitable(value):  # A partial or a lambda around a coroutine function.
            return asyncio.run_coroutine_threadsafe(_awaiting(value), self._event_loop()).result()
        if inspect.isgenerator(value):
            return self._stream(job, value)
        return value

    def _stream(self, job, generator):
        """Sends what a generator yields, as far as that is granted; without a stream, the list of it."""
        collected = []
        result = None
        try:
            while True:
                try:
                    value = next(generator)
                except StopIteration as stop:
                    result = stop.value
                    break
                if job.granted is None:
                    collected.append(value)
                else:
                    with job.grants:
                        job.grants.wait_for(lambda: job.granted > 0 or job.context.cancelled.is_set())
                        job.granted -= 1
                    job.context.check()
                    self._report(job, "chunk", value)
                job.context.check()
        finally:
            generator.close()
        return collected if job.granted is None else result

    def _on_interrupt(self, number, frame):
        """In the main thread, between two steps of whatever it runs."""
        job = self._current
        if job is not None and job.interrupted:
            raise _Interrupted()
        if not self._was_interrupted:
            signal.default_int_handler(number, frame)
        # It came too late: that job is over.

    # The reader thread: whatever the parent says.

    def _read(self):
        try:
            while True:
                header = self._read_exactly(4)
                if header is None:
                    break
                body = self._read_exactly(struct.unpack(">I", header)[0])
                if body is None:
                    break
                self._heard(json.loads(body))
        except Exception as error:  # The parent's frames are the only input: it is the parent that is wrong.
            _die(_EXIT_PROTOCOL, "the parent broke the protocol: %r" % (error,))
        if not self._leaving:
            _orphaned()

    def _read_exactly(self, size):
        pieces = []
        while size > 0:
            try:
                piece = os.read(self._input, min(size, _READ_BYTES * 16))
            except OSError:
                return None
            if not piece:
                return None
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def _heard(self, message):
        kind = message["kind"]
        if kind == "run":
            self._start(message)
        elif kind == "ping":
            self._say({"kind": "pong", "id": message["id"]})
        elif kind == "cancel":
            with self._jobs_lock:
                job = self._jobs.get(message["id"])
            if job is not None:
                self._cancel(job, message["reason"])
        elif kind == "interrupt":
            with self._jobs_lock:
                job = self._jobs.get(message["id"])
            if job is not None:
                self._interrupt(job, message["reason"])
        elif kind == "more":
            with self._jobs_lock:
                job = self._jobs.get(message["id"])
            if job is not None and job.granted is not None:
                self._grant(job, message["chunks"])
        elif kind == "hello":
            self._greet(message)
        elif kind == "shutdown":
            self._leave()
        # Kinds that this version does not know are ignored: that is the rule of versions.

    def _greet(self, hello):
        if hello["protocol"] != PROTOCOL_VERSION or self._greeted:
            raise ValueError("hello of version %r" % (hello["protocol"],))
        self._greeted = True
        self._max_frame_bytes = hello["maxFrameBytes"]
        self._max_depth = hello["maxDepth"]
        self._say(
            {
                "kind": "ready",
                "protocol": PROTOCOL_VERSION,
                "pid": os.getpid(),
                "capabilities": self._capabilities,
                "handlers": list(self._handlers),
            }
        )

    def _start(self, message):
        job_id = message["id"]
        handler = self._handlers.get(message["name"])
        if handler is None:
            text = "no handler %s" % (message["name"][:200],)
            self._say_error(job_id, "UnknownHandler", text, "")
            return
        job = _Job(job_id, handler, message["args"], message.get("stream"))
        job.context = JobContext(
            message["remainingMs"],
            self._log,
            lambda value: self._report(job, "progress", value),
            message.get("context"),
        )
        with self._jobs_lock:
            self._jobs[job_id] = job
        if _is_async(handler) or _is_async(getattr(handler, "__call__", None)):
            loop = self._event_loop()
            loop.call_soon_threadsafe(self._start_task, loop, job)
        else:
            self._waiting.put(job)

    def _cancel(self, job, reason):
        job.context.reason = reason
        job.context.cancelled.set()
        with job.grants:
            job.grants.notify_all()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(lambda: job.task is not None and job.task.cancel())

    def _interrupt(self, job, reason):
        job.interrupted = True
        self._was_interrupted = True
        self._cancel(job, reason)
        if self._current is job:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    def _grant(self, job, chunks):
        with job.grants:
            job.granted += chunks
            job.grants.notify_all()
        if self._loop is not None and job.granted_async is not None:
            self._loop.call_soon_threadsafe(job.granted_async.set)

    def _leave(self):
        self._leaving = True
        with self._jobs_lock:
            jobs = list(self._jobs.values())
        for job in jobs:
            self._cancel(job, "the worker shuts down")
        if not jobs:
            self._waiting.put(None)

    # The event loop's thread: coroutine functions, side by side.

    def _event_loop(self):
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._run_loop, name="troupe-asyncio", daemon=True).start()
        return self._loop

    def _run_loop(self):
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        except SystemExit as error:  # A handler asked for it; only the main thread could exit by raising it.
            _flush()
            os._exit(error.code if isinstance(error.code, int) else 1)

    def _start_task(self, loop, job):
        job.task = loop.create_task(self._await(job))
        if job.context.cancelled.is_set():
            job.task.cancel()

    async def _await(self, job):
        try:
            value = job.handler(job.args, job.context)
            value = await (self._stream_async(job, value) if inspect.isasyncgen(value) else value)
        except asyncio.CancelledError as error:
            self._failed(job, error)
        except Exception as error:
            self._failed(job, error)
        else:
            self._succeeded(job, value)

    async def _stream_async(self, job, generator):
        collected = []
        job.granted_async = asyncio.Event()
        try:
            async for value in generator:
                if job.granted is None:
                    collected.append(value)
                    continue
                while job.granted == 0:
                    job.granted_async.clear()
                    if job.granted == 0:
                        await job.granted_async.wait()
                with job.grants:
                    job.granted -= 1
                self._report(job, "chunk", value)
        finally:
            await generator.aclose()
        return collected if job.granted is None else None

    # Answers.

    def _report(self, job, kind, value):
        self._check(value, self._max_depth - 1, "value")
        try:
            frame = self._frame({"kind": kind, "id": job.id, "value": value})
        except (TypeError, ValueError) as error:
            raise InvalidResult("%s cannot be sent: %s" % (kind, error)) from None
        self._write(frame)

    def _succeeded(self, job, value):
        try:
            self._check(value, self._max_depth - 1, "value")
            frame = self._frame({"kind": "result", "id": job.id, "value": value})
        except Exception as error:
            text = "result of %s cannot be sent: %s" % (getattr(job.handler, "__name__", "the job"), error)
            self._finish(job, lambda: self._say_error(job.id, "InvalidResult", text, ""))
        else:
            self._finish(job, lambda: self._write(frame))

    def _failed(self, job, error):
        cancelled = job.context.cancelled.is_set()
        if cancelled and isinstance(error, (Cancelled, asyncio.CancelledError, _Interrupted)):
            self._finish(job, lambda: self._say({"kind": "cancelled", "id": job.id}))
            return
        trace = "".join(traceback.format_exception(type(error), error, _without_ours(error.__traceback__)))
        name = type(error).__qualname__
        self._finish(job, lambda: self._say_error(job.id, name, _text_of(error), trace))

    def _finish(self, job, answer):
        with self._jobs_lock:
            self._jobs.pop(job.id, None)
            last = not self._jobs
        answer()
        if self._leaving and last:
            self._waiting.put(None)

    def _say_error(self, job_id, name, text, trace):
        message = {
            "kind": "error",
            "id": job_id,
            "type": name[:200],
            "message": _cut(text, _LONGEST_MESSAGE),
            "traceback": _cut(trace, _LONGEST_TRACEBACK),
        }
        try:
            frame = self._frame(message)
        except InvalidResult:
            frame = self._frame(dict(message, message=_cut(text, 100), traceback=""))
        self._write(frame)

    def _log(self, text, level):
        text = _cut(text, _LONGEST_MESSAGE)
        # A line too long for a frame is dropped: a log must not fail a job.
        if len(text) < self._max_frame_bytes // 8:
            self._say({"kind": "log", "level": str(level), "text": text})

    def _say(self, message):
        self._write(self._frame(message))

    # The wire.

    def _frame(self, message):
        try:
            body = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            data = body.encode("utf-8")
        except UnicodeEncodeError:  # Lone surrogates: escaped they are valid JSON.
            data = json.dumps(message, allow_nan=False, separators=(",", ":")).encode("ascii")
        if len(data) > self._max_frame_bytes:
            limit = self._max_frame_bytes
            raise InvalidResult("a frame of %d bytes exceeds the limit of %d" % (len(data), limit))
        return struct.pack(">I", len(data)) + data

    def _check(self, value, depth, where):
        """Refuses what the parent would refuse, so that it fails the job and not the worker."""
        if isinstance(value, dict):
            items = value.items()
        elif isinstance(value, (list, tuple)):
            items = enumerate(value)
        else:
            return
        if depth == 0:
            raise InvalidResult("%s nests too deeply, or in a circle" % (where,))
        for key, item in items:
            if key in _FORBIDDEN_KEYS:
                raise InvalidResult("%s.%s is a key that is never sent" % (where, key))
            if isinstance(item, (dict, list, tuple)):
                self._check(item, depth - 1, "%s.%s" % (where, key))

    def _write(self, frame):
        rest = memoryview(frame)
        with self._writing:
            while rest:
                try:
                    rest = rest[os.write(self._output, rest) :]
                except BlockingIOError:
                    time.sleep(0.001)
                except OSError:
                    _orphaned()


def _take_descriptors():
    """The protocol's input and output, and the lifeline if there is one, safe from what prints or inherits."""
    named = os.environ.pop(DESCRIPTORS_VARIABLE, None)
    if named is None:
        why = "a worker is started by a pool of troupe, not by hand (%s is not set)"
        raise RuntimeError(why % DESCRIPTORS_VARIABLE)
    if named != "stdio":
        taken = [int(each) for each in named.split(",")]
        for descriptor in taken:
            os.set_inheritable(descriptor, False)
        return taken[0], taken[1], 0
    # dup gives descriptors that are not inherited.
    reading, writing = os.dup(0), os.dup(1)
    sys.stdout.flush()
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return reading, writing, None


def _bind_to_parent():
    """Has the kernel end this process with its parent, where the service wants that."""
    parent = os.environ.pop(PARENT_VARIABLE, None)
    if parent is None:
        return
    import ctypes  # Only here: most workers can do without it.

    PR_SET_PDEATHSIG = 1
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        _die(1, "PR_SET_PDEATHSIG failed: %s" % (os.strerror(ctypes.get_errno()),))
    if os.getppid() != int(parent):  # It died before it could be asked for.
        _orphaned()


def _watch(lifeline):
    """The lifeline is a pipe that nobody writes: it ends when the parent does."""
    try:
        while os.read(lifeline, 4_096):
            pass
    except OSError:
        pass
    _orphaned()


def _orphaned():
    """The parent has died: nobody wants the work, nor what it started."""
    try:
        if os.getpgrp() == os.getpid():
            os.killpg(os.getpid(), signal.SIGKILL)
    except (AttributeError, OSError):
        pass
    os._exit(0)


def _die(code, why):
    try:
        os.write(2, ("troupe_worker: %s\n" % (why,)).encode("utf-8", "backslashreplace"))
    except OSError:
        pass
    os._exit(code)


def _flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass


def _is_async(function):
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


async def _awaiting(awaitable):
    return await awaitable


def _text_of(error):
    try:
        return str(error)
    except Exception as worse:
        return "(its text raised %s)" % (type(worse).__qualname__,)


def _cut(text, longest):
    if len(text) <= longest:
        return text
    return "%s … %s" % (text[: longest // 2], text[-(longest // 2) :])


def _without_ours(trace):
    """The traceback from the handler on: the frames before it are of this file."""
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return trace
