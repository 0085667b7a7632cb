"""The session itself: what the service says, and who does it.

Kept true: somebody always reads, so pings are answered and cancellations heard whatever runs; one execution at a time; every
job is answered exactly once, an execution after all of its output.

Who reads: the main thread while it has nothing else to do, since handing each job from one thread to another takes longer than
most code does. Once it has been at something for a few milliseconds the reader, a thread, reads in its place, and goes on until it
has another job for the main thread. Whoever takes the one token reads. With an event loop the main thread runs that when it
is idle, and the reader reads for good.
"""

import faulthandler
import os
import sys
import threading
import time

import _queue

from . import wire as wire_module
from .background import Background, complain
from .conversation import Conversation
from .execution import Executions, end_fork
from .history import History
from .interruption import CANCEL, INTERRUPT, ExecutionCancelled, Interruption
from .jobs import JOBS, JobRefused, opened
from .modes import Cache
from .output import Output
from .streams import Capture
from .values import LONGEST_MESSAGE, cut, text_of, traceback_of
from .wire import EXIT_PROTOCOL, PROTOCOL_VERSION, Unsendable, Wire

#: How often the reader looks whether the main thread has stopped reading, while there is something to do.
_TICK_SECONDS = 0.004
#: After so many looks at an idle session it waits to be woken.
_IDLE_TICKS = 50

#: Answered by whoever reads, whatever runs.
_AT_ONCE = frozenset(("input_response", "respond", "stats"))


class Job:
    """Something that the service wants done."""

    __slots__ = ("id", "name", "args", "stream", "task", "started", "cancelled", "reason", "wanted")

    def __init__(self, message):
        self.id = message["id"]
        self.name = message["name"]
        args = message["args"]
        self.args = args if isinstance(args, dict) else {}
        self.stream = message.get("stream")
        #: The asyncio task that runs its code, where that awaits.
        self.task = None
        self.started = False
        self.cancelled = False
        self.reason = None
        #: What has been wanted of it and not yet delivered: see `interruption`.
        self.wanted = None


class Session:
    """All of a session's parts, for one another."""

    def __init__(self):
        self.pid = os.getpid()
        #: Set in a child that user code forked: it is no session.
        self.is_fork = False
        os.register_at_fork(after_in_child=self._forked)
        self.wire = Wire()
        self.capture = Capture()
        self.interruption = Interruption()
        self.output = Output(self.wire, self.capture.gather)
        self.background = Background(self.interruption)
        self.conversation = Conversation(self.output, self.interruption)
        self.cache = Cache()
        self.executions = Executions(self)
        #: Set by `open`, see `jobs`.
        self.history = History(1_000)
        self.namespace = None
        self.checkpoints = None
        self.capabilities = None
        self.limits = None
        self.capture.start(self.output, self.interruption.check)
        # What crashes natively leaves a trace in the service's log.
        faulthandler.enable(wire_module.log_descriptor)
        self._exit_after_output()

    def _forked(self):
        self.is_fork = True

    def _exit_after_output(self):
        """Has what was printed before an `os._exit` come out: it is the user's last word."""
        exit_now = os._exit

        def _exit(status):
            if not self.is_fork:
                self.capture.settle()
                self.output.due()
            exit_now(status)

        os._exit = _exit


class Kernel:
    def __init__(self):
        self._session = Session()
        self._waiting = _queue.SimpleQueue()
        self._jobs = {}
        #: The execution that was accepted and not answered.
        self._executing = None
        self._greeted = False
        self._leaving = False
        # Between giving the main thread a job and having it read there must be no moment.
        self._turn = threading.Lock()
        #: Who has it reads.
        self._tokens = [object()]
        #: Whether the main thread is at something, and at what, by number.
        self._busy = False
        self._busy_with = 0
        #: Whether the reader waits to be woken, and by what.
        self._asleep = False
        self._alarm = threading.Lock()
        self._alarm.acquire()

    def serve(self):
        threading.Thread(target=self._stand_by, name="troupe-reader", daemon=True).start()
        while True:
            job = self._next()
            self._busy_with += 1
            self._busy = True
            if self._asleep:
                self._wake_reader()
            if job is None:
                self._leave()
            self._do(job)
            self._busy = False

    # The main thread.

    def _next(self):
        session = self._session
        if session.is_fork:
            end_fork()
        while session.background.loop is None:
            with self._turn:
                try:
                    return self._waiting.get_nowait()
                except _queue.Empty:
                    pass
                token = self._tokens.pop() if self._tokens else None
            if token is None:  # The reader has it, and will have something for us.
                return self._waiting.get()
            job = self._hear(session.wire.read())
            self._tokens.append(token)
            if job is not None:
                return job
        return self._next_of_loop()

    def _next_of_loop(self):
        self._busy = True  # With the loop: the reader reads.
        if self._asleep:
            self._wake_reader()
        while True:
            try:
                return self._waiting.get_nowait()
            except _queue.Empty:
                pass
            error = self._session.background.turn()
            if error is not None:
                complain(error)

    def _do(self, job):
        session = self._session
        session.interruption.begin(job)
        is_execution = job.name == "execute"
        if is_execution:
            session.conversation.begin(job, job.args.get("execution"))
            if job.stream is not None:
                session.output.begin(job.id, job.stream)
        try:
            if job.cancelled:
                raise ExecutionCancelled(job.reason)
            answer = {"kind": "result", "id": job.id, "value": JOBS[job.name](session, job)}
        except BaseException as error:
            answer = self._failure(job, error)
        session.interruption.end()
        if is_execution:
            session.conversation.end()
            session.capture.settle()
            if not session.output.end(job.id):
                answer = {"kind": "cancelled", "id": job.id}
        self._answer(job, answer)
        if job.name == "open" and answer["kind"] == "result":
            opened()

    def _failure(self, job, error):
        if job.cancelled and _means_cancelled(error):
            return {"kind": "cancelled", "id": job.id}
        if isinstance(error, JobRefused):
            return _error(job.id, error.type, str(error), "")
        return _error(job.id, type(error).__qualname__, text_of(error), traceback_of(error))

    def _answer(self, job, answer):
        self._jobs.pop(job.id, None)
        if self._executing is job:
            self._executing = None
        wire = self._session.wire
        try:
            frame = wire.frame(answer)
        except (Unsendable, TypeError, ValueError) as error:
            frame = wire.frame(_error(job.id, "InvalidResult", "%s cannot be answered: %s" % (job.name, error), ""))
        wire.write(frame)

    def _leave(self):
        session = self._session
        session.interruption.end()
        session.background.close()
        session.capture.settle()
        os._exit(0)

    # Whoever reads.

    def _stand_by(self):
        """The reader: waits until the main thread is busy, then reads in its place."""
        self._session.output.never_block(threading.get_ident())
        seen = 0
        idle_ticks = 0
        while True:
            time.sleep(_TICK_SECONDS)
            if not self._busy:
                idle_ticks += 1
                if idle_ticks > _IDLE_TICKS:
                    self._sleep()
                    idle_ticks = 0
                continue
            idle_ticks = 0
            if self._busy_with != seen:  # It has only just begun.
                seen = self._busy_with
                continue
            try:
                token = self._tokens.pop()
            except IndexError:  # It reads again.
                continue
            self._read_in_place(token)

    def _read_in_place(self, token):
        """Until there is a job for the main thread, and that is free to read itself."""
        session = self._session
        while True:
            job = self._hear(session.wire.read())
            if job is None:
                continue
            # With a loop the main thread does not read; and while it is at something nobody else may stop reading.
            hands_over = session.background.loop is None and not self._busy
            with self._turn:
                self._waiting.put(job)
                if hands_over:
                    self._tokens.append(token)
            session.background.wake()
            if hands_over:
                return

    def _sleep(self):
        self._asleep = True
        if not self._busy:
            self._alarm.acquire()
        self._asleep = False

    def _wake_reader(self):
        try:
            self._alarm.release()
        except RuntimeError:  # Somebody has just done so.
            pass

    def _hear(self, message):
        """Does what a message says; returns a job that is the main thread's."""
        if message is None:
            self._input_ended()
        try:
            if message["kind"] == "run":
                return self._accept(Job(message))
            self._heard(message)
        except Exception as error:  # The parent's frames are the only input: it is the parent that is wrong.
            wire_module.die(EXIT_PROTOCOL, "the parent broke the protocol: %r" % (error,))
        return None

    def _input_ended(self):
        lifeline = self._session.wire.lifeline
        if self._leaving and lifeline is None:
            threading.Event().wait()  # The service waits for our end, which comes.
        if self._leaving:
            _read_to_end(lifeline)
        wire_module.orphaned()

    def _heard(self, message):
        kind = message["kind"]
        if kind == "ping":
            self._session.wire.say({"kind": "pong", "id": message["id"]})
        elif kind == "more":
            self._session.output.grant(message["id"], message["chunks"])
        elif kind == "cancel" or kind == "interrupt":
            job = self._jobs.get(message["id"])
            if job is not None:
                self._stop(job, CANCEL if kind == "cancel" else INTERRUPT, message["reason"])
        elif kind == "hello":
            self._greet(message)
        elif kind == "shutdown":
            self._shut_down()
        # Kinds that this version does not know are ignored: that is the rule of versions.

    def _greet(self, hello):
        if hello["protocol"] != PROTOCOL_VERSION or self._greeted:
            raise ValueError("hello of version %r" % (hello["protocol"],))
        self._greeted = True
        session = self._session
        session.wire.max_frame_bytes = hello["maxFrameBytes"]
        session.wire.max_depth = hello["maxDepth"]
        capabilities = ["stream", "progress", "session"]
        if session.interruption.possible:
            capabilities.append("interrupt")
        session.wire.say(
            {
                "kind": "ready",
                "protocol": PROTOCOL_VERSION,
                "pid": session.pid,
                "capabilities": capabilities,
                "handlers": list(JOBS),
            }
        )

    def _accept(self, job):
        refusal = self._refusal(job)
        if refusal is not None:
            self._session.wire.say(_error(job.id, refusal[0], refusal[1], ""))
            return None
        if job.name in _AT_ONCE:
            self._answer_at_once(job)
            return None
        self._jobs[job.id] = job
        if job.name == "execute":
            self._executing = job
        return job

    def _refusal(self, job):
        if job.name not in JOBS:
            return "UnknownHandler", "no handler %s" % (job.name[:200],)
        if self._executing is not None and job.name not in _AT_ONCE:
            return "Busy", "%s has to wait: an execution is under way" % (job.name,)
        return None

    def _answer_at_once(self, job):
        try:
            answer = {"kind": "result", "id": job.id, "value": JOBS[job.name](self._session, job)}
        except Exception as error:
            answer = self._failure(job, error)
        self._answer(job, answer)

    def _stop(self, job, kind, reason):
        session = self._session
        session.interruption.want(job, kind, reason)
        session.output.give_up_waiting(job.id)
        session.conversation.wake()
        session.background.call_soon(session.background.cancel_task, job)

    def _shut_down(self):
        self._leaving = True
        job = self._executing
        if job is not None:
            self._stop(job, CANCEL, "the session shuts down")
        self._waiting.put(None)
        self._session.background.wake()


def serve():
    """Runs the session until the service ends it. Never returns."""
    kernel = Kernel()
    kernel.serve()


def _means_cancelled(error):
    if isinstance(error, (KeyboardInterrupt, EOFError)):
        return True
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and isinstance(error, asyncio.CancelledError)


def _error(job_id, kind, message, trace):
    return {
        "kind": "error",
        "id": job_id,
        "type": kind[:200],
        "message": cut(message, LONGEST_MESSAGE),
        "traceback": trace,
    }


def _read_to_end(descriptor):
    try:
        while os.read(descriptor, 4_096):
            pass
    except OSError:
        pass
