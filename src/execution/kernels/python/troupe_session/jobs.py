"""The jobs of a session, by name: what each takes and answers. `execute` is in `execution`.

Those that the reader answers itself, whatever runs, are `input_response`, `respond` and `stats`; the others are the main thread's.
"""

import sys

from .history import History
from .limits import Limits, cpu_ms, resident_bytes
from .namespace import STRATEGIES, TRANSACTIONS, Namespace
from .output import now_ms
from .values import describe


class JobRefused(Exception):
    """A job that cannot be done as it was asked for: the service is at fault, not the session."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.type = kind


def opened():
    """Loads, once the service has been told that all is ready, what the first execution will need."""
    import linecache  # noqa: F401
    import warnings

    # About forking beside threads: they are the kernel's, which holds none of its locks in a child.
    warnings.filterwarnings("ignore", r"This process .* is multi-threaded", DeprecationWarning)


def _open(session, job):
    from .capabilities import Capabilities
    from .checkpoint import Checkpoints

    if session.namespace is not None:
        raise JobRefused("AlreadyOpen", "the session is open already")
    args = job.args
    limit = args.get("historyLimit", 1_000)
    if not isinstance(limit, int) or limit < 1:
        raise JobRefused("InvalidArguments", "historyLimit must be a whole number of at least 1")
    session.limits = Limits(args.get("limits") or {}, session.interruption)
    session.history = History(limit)
    session.namespace = Namespace(args.get("mainFile"), session.history)
    session.checkpoints = Checkpoints(session)
    session.capabilities = Capabilities(session, args.get("capabilities") or {})
    session.capabilities.inject(session.namespace)
    session.limits.apply()
    return {
        "language": "python",
        "version": "%d.%d.%d" % sys.version_info[:3],
        "pid": session.pid,
        "started": now_ms(),
    }


def _execute(session, job):
    _require_open(session)
    args = job.args
    if not isinstance(args.get("code"), str):
        raise JobRefused("InvalidArguments", "code must be a string")
    if args.get("kind", "repl") not in ("repl", "script"):
        raise JobRefused("InvalidArguments", "kind must be repl or script")
    if args.get("transaction") not in (None, *TRANSACTIONS):
        raise JobRefused("InvalidArguments", "transaction must be one of %s" % (", ".join(TRANSACTIONS),))
    return session.executions.execute(job)


def _input_response(session, job):
    return session.conversation.answer(job.args, True)


def _respond(session, job):
    return session.conversation.answer(job.args, False)


def _namespace(session, job):
    _require_open(session)
    args = job.args
    namespace = session.namespace
    action = args.get("action")
    if action == "list":
        return namespace.listing()
    if action == "get":
        return _values(session, args.get("names") or [])
    if action == "merge":
        strategy = args.get("strategy") or "overwrite"
        if strategy not in STRATEGIES:
            raise JobRefused("InvalidArguments", "strategy must be one of %s" % (", ".join(STRATEGIES),))
        return {"changed": namespace.merge(args.get("values") or {}, strategy)}
    if action == "delete":
        return {"changed": namespace.delete(args.get("names") or [])}
    if action == "clear":
        return {"changed": namespace.clear()}
    raise JobRefused("InvalidArguments", "action must be list, get, merge, delete or clear")


def _values(session, names):
    found = {}
    for name in names:
        try:
            found[name] = describe(session.namespace.get(name), session.wire)
        except KeyError:  # It is not there, and so not in the answer.
            pass
    return found


def _history(session, job):
    _require_open(session)
    return session.history.entries(job.args.get("from"), job.args.get("to"))


def _checkpoint(session, job):
    _require_open(session)
    return session.checkpoints.take(job.args.get("names"))


def _restore(session, job):
    _require_open(session)
    return session.checkpoints.restore(job.args.get("format"), job.args.get("data") or {})


def _stats(session, _job):
    cache = session.cache
    return {
        "namespaceSize": 0 if session.namespace is None else len(session.namespace),
        "backgroundTasks": session.background.tasks,
        "executions": session.history.executions,
        "residentBytes": resident_bytes(),
        "cpuMs": cpu_ms(),
        "cache": {"hits": cache.hits, "misses": cache.misses, "size": len(cache)},
        "droppedChunks": session.output.dropped,
    }


def _require_open(session):
    if session.namespace is None:
        raise JobRefused("NotOpen", "the session is not open yet")


JOBS = {
    "open": _open,
    "execute": _execute,
    "input_response": _input_response,
    "respond": _respond,
    "namespace": _namespace,
    "history": _history,
    "checkpoint": _checkpoint,
    "restore": _restore,
    "stats": _stats,
}
