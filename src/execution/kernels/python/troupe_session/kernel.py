"""The session itself: what the service says, heard by one thread, done by the main one.

Kept true: the reader never waits for user code, so pings are answered and cancellations heard whatever runs; one execution at
a time; every job is answered exactly once, an execution after all of its output.
"""

import faulthandler
import os
import sys
import threading

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

#: Answered by the reader itself, whatever runs.
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

    def _exit_after_output(self):
        """Has what was printed before an `os._exit` come out: it is the user's last word."""
        exit_now = os._exit

        def _exit(status):
            if os.getpid() == self.pid:
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

    def serve(self):
        threading.Thread(target=self._read, name="troupe-reader", daemon=True).start()
        while True:
            job = self._next()
            if job is None:
                self._leave()
            self._do(job)

    # The main thread.

    def _next(self):
        if os.getpid() != self._session.pid:
            end_fork()
        background = self._session.background
        if background.loop is None:
            return self._waiting.get()
        while True:
            try:
                return self._waiting.get_nowait()
            except _queue.Empty:
                pass
            error = background.turn()
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

    # The reader.

    def _read(self):
        session = self._session
        session.output.never_block(threading.get_ident())
        try:
            while True:
                message = session.wire.read()
                if message is None:
                    break
                self._heard(message)
        except Exception as error:  # The parent's frames are the only input: it is the parent that is wrong.
            wire_module.die(EXIT_PROTOCOL, "the parent broke the protocol: %r" % (error,))
        if self._leaving and session.wire.lifeline is not None:
            _read_to_end(session.wire.lifeline)
        if not self._leaving or session.wire.lifeline is not None:
            wire_module.orphaned()

    def _heard(self, message):
        kind = message["kind"]
        if kind == "run":
            self._accept(Job(message))
        elif kind == "ping":
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
        elif job.name in _AT_ONCE:
            self._answer_at_once(job)
        else:
            self._jobs[job.id] = job
            if job.name == "execute":
                self._executing = job
            self._waiting.put(job)
            self._session.background.wake()

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
