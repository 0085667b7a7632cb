"""Questions that user code puts to the service: a line of input, or whatever a capability asks for.

Kept true: a question is a chunk of the execution's stream, behind all that was printed before it, and is answered at most once; a
cancellation ends the wait; no question outlives its execution. Only one line of input is waited for at a time.
"""

import threading
import time


class RequestFailed(Exception):
    """The service could not, or would not, do what was asked."""


class _Question:
    def __init__(self, request, is_input):
        self.request = request
        self.is_input = is_input
        self.settled = False
        self.value = None
        self.error = None


class Conversation:
    def __init__(self, output, interruption):
        self._output = output
        self._interruption = interruption
        self._answers = threading.Condition(threading.RLock())
        self._open = {}
        self._execution = None
        self._job = None
        self._next = 0

    def begin(self, job, execution):
        self._execution = execution
        self._job = job

    def end(self):
        """Whoever still asks, in a thread, is told that nobody answers any more."""
        self._job = None
        self._execution = None
        if self._open:
            with self._answers:
                self._open.clear()
                self._answers.notify_all()

    def wake(self):
        """From the thread that reads the wire: somebody was told to stop."""
        with self._answers:
            self._answers.notify_all()

    # From user code.

    def ask_input(self, prompt, secret):
        """A line, without its end. EOFError where there is none to be had."""
        with self._answers:
            if any(each.is_input for each in self._open.values()):
                raise RuntimeError("input() is waited for already: only one input at a time")
            question = self._put("input", {"prompt": prompt, "secret": secret})
            settled = self._await(question, None)
        if not settled:
            # That is how the code is told to stop: once, so that its `finally` is not broken into.
            self._interruption.spare()
            raise EOFError("the execution was cancelled or is over: nobody answers")
        if question.value is None:
            raise EOFError("EOF when reading a line")
        return question.value

    def ask(self, capability, args, timeout_ms=None):
        """What the service does for a capability. RequestFailed with its reason, TimeoutError when it takes too long."""
        with self._answers:
            question = self._put("request", {"capability": capability, "args": args})
            deadline = None if timeout_ms is None else time.monotonic() + timeout_ms / 1_000
            settled = self._await(question, deadline)
        self._interruption.check()
        if not settled:
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError("%s was not answered within %d ms" % (capability, timeout_ms))
            raise RequestFailed("the execution was cancelled or is over: nobody answers %s" % (capability,))
        if question.error is not None:
            raise RequestFailed("%s: %s" % (question.error.get("type", "Error"), question.error.get("message", "")))
        return question.value

    def _put(self, kind, fields):
        if self._job is None:
            raise RequestFailed("nothing is executed now: there is nobody to ask")
        request = str(self._next)
        self._next += 1
        question = _Question(request, kind == "input")
        self._open[request] = question
        chunk = dict({"kind": kind, "request": request}, **fields)
        try:
            self._output.chunk(chunk, self._interruption.check)
        except BaseException:
            self._open.pop(request, None)
            raise
        return question

    def _await(self, question, deadline):
        """Whether it was answered. The lock is held."""
        job = self._job
        try:
            while not question.settled and question.request in self._open and self._job is job:
                if job.cancelled and self._ends_for_caller(job):
                    return False
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return False
                self._answers.wait(left)
            return question.settled
        finally:
            self._open.pop(question.request, None)

    def _ends_for_caller(self, job):
        """A cancelled execution has no more input; a thread of the user's own that asks is not what was cancelled."""
        return threading.get_ident() == self._interruption.main and job is self._interruption.current

    # From the thread that reads the wire.

    def answer(self, args, is_input):
        """Whether a question was waiting for this."""
        with self._answers:
            if self._execution is None or args.get("execution") != self._execution:
                return False
            question = self._open.get(args.get("request"))
            if question is None or question.is_input is not is_input or question.settled:
                return False
            question.value = args.get("text") if is_input else args.get("value")
            question.error = None if is_input else args.get("error")
            question.settled = True
            self._answers.notify_all()
            return True
