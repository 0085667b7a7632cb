"""One execution, in the main thread: from its code to what is answered.

Kept true: every expression is evaluated once; the answer is the last that the service hears of an execution; whatever user
code raises, exits or breaks, the session is there afterwards. Where the process must end (user code has forked) it does.
"""

import atexit
import os
import sys
import threading
import time

from .background import complain
from .interruption import calling, transparent
from .values import describe

_COROUTINE = 0x80

#: What is kept of sources for tracebacks: so many, of so many characters all in all.
_SOURCES = 2_000
_SOURCES_CHARACTERS = 16 * 1_048_576


class Executions:
    """Runs code in a session's namespace."""

    def __init__(self, session):
        self._session = session
        self._sources = {}
        self._sources_size = 0

    def execute(self, job):
        """The `execute` job. Returns its result; raises what the code raised."""
        session = self._session
        args = job.args
        code = args["code"]
        as_script = args.get("kind", "repl") == "script"
        transaction = args.get("transaction") or "commit_always"
        compiled = session.cache.compiled(code, args.get("filename"), as_script)
        self.remember(compiled)
        session.history.entered(code)
        session.namespace.protect()
        snapshot = None if transaction == "commit_always" else session.namespace.snapshot()
        before = session.namespace.before()
        run = self._run_script if as_script else self._run
        told = {"mode": compiled.mode, "executionMs": time.perf_counter()}
        try:
            value = run(job, compiled, told)
        except BaseException:
            self._ended(compiled, before, told, snapshot if transaction != "commit_always" else None)
            raise
        self._ended(compiled, before, told, snapshot if transaction == "rollback_always" else None)
        self._tell(value, code, told)
        return told

    def _ended(self, compiled, before, told, snapshot):
        """The code is through, one way or another; where there is a snapshot it was for nothing."""
        session = self._session
        told["executionMs"] = round((time.perf_counter() - told["executionMs"]) * 1_000, 3)
        if session.is_fork:
            end_fork()
        if snapshot is not None:
            session.namespace.roll_back(snapshot)
        session.cache.flags = compiled.flags
        session.checkpoints.defined(compiled, before)
        told["changed"] = [] if snapshot is not None else session.namespace.changed(before)
        session.namespace.protect()

    def _tell(self, value, code, told):
        session = self._session
        told["hasValue"] = value is not None
        if value is None:
            told.update(value=None, serialisable=True, repr="None", type="NoneType")
            return
        told.update(describe(value, session.wire))
        told["index"] = session.history.resulted(value, code, told["repr"])
        session.namespace.protect()

    def _run(self, job, compiled, _told):
        session = self._session
        background = session.background
        names = session.namespace.names
        if compiled.awaits:
            background.ensure()
            return background.await_job(job, _awaited(compiled, names))
        if not background.is_wanted(compiled.source):
            return _run_plain(compiled, names)
        background.ensure()
        background.appear_running()
        try:
            return _run_plain(compiled, names)
        finally:
            background.appear_idle()

    def _run_script(self, job, compiled, told):
        """As `python file` would: with arguments, with exit, to the end of what was registered for it."""
        session = self._session
        names = session.namespace.names
        filename = job.args.get("filename")
        sys.argv = [filename or "", *job.args.get("argv", ())]
        if filename is not None:
            names["__file__"] = filename
            sys.path[0] = os.path.dirname(os.path.abspath(filename))
        code = 0
        try:
            try:
                if compiled.awaits:
                    session.background.ensure()
                    session.background.await_job(job, _awaited(compiled, names))
                else:
                    _run_plain(compiled, names)
            finally:
                _finish_threads()
        except SystemExit as error:
            code = exit_code(error)
        finally:
            calling(atexit._run_exitfuncs)
        told["exitCode"] = code
        session.namespace.set_engine("_exit_code", code)
        return None

    def remember(self, compiled):
        """Keeps the source for tracebacks, and the last so much of it."""
        name = compiled.filename
        if name in self._sources or os.path.exists(name):
            return
        import linecache

        source = compiled.source
        lines = source.splitlines(True)
        linecache.cache[name] = (len(source), None, lines, name)
        self._sources[name] = len(source)
        self._sources_size += len(source)
        while len(self._sources) > _SOURCES or (self._sources_size > _SOURCES_CHARACTERS and len(self._sources) > 1):
            oldest = next(iter(self._sources))
            self._sources_size -= self._sources.pop(oldest)
            linecache.cache.pop(oldest, None)


def _run_plain(compiled, names):
    if compiled.body is not None:
        calling(exec, compiled.body, names)
    if compiled.expression is not None:
        return calling(eval, compiled.expression, names)
    return None


@transparent
async def _awaited(compiled, names):
    if compiled.body is not None:
        running = eval(compiled.body, names)
        if compiled.body.co_flags & _COROUTINE:
            await running
    if compiled.expression is None:
        return None
    value = eval(compiled.expression, names)
    return await value if compiled.expression.co_flags & _COROUTINE else value


def exit_code(error):
    """The process's exit code that a SystemExit stands for."""
    code = error.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def _finish_threads():
    """Python ends when its threads have."""
    main = threading.main_thread()
    for thread in threading.enumerate():
        if thread is not main and not thread.daemon and thread is not threading.current_thread():
            calling(thread.join)


def end_fork():
    """User code has forked, and its child came out of the code: it is no session. Its output is the session's."""
    error = sys.exc_info()[1]
    code = 0
    if isinstance(error, SystemExit):
        code = exit_code(error)
    elif error is not None:
        complain(error)
        code = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
    os._exit(code)
