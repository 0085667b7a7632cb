"""The session kernel for Python: one process that runs one session's code, as a worker of docs/PROTOCOL.md.

Started by the service with `childProcess({ module: 'session_kernel.py', … })`. This file only makes way for the user: what
Python put on the path for the kernel's sake is taken off again, so that a user's own modules are found first and the kernel's
are found by nobody. It is short because Python compiles the file it is started with anew every time, and caches the others.
"""

import os
import sys


def _make_way():
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, here)
    import troupe_session

    # Absolute, and loaded: its modules are found by the package's own path from here on, wherever the user goes.
    troupe_session.__path__ = [os.path.join(here, "troupe_session")]
    # `python file` puts the file's folder first; a session's code sees its working directory there, as in any REPL.
    sys.path[:2] = [""]
    sys.path[1:] = _without_sdk(sys.path[1:])
    inherited = os.environ.get("PYTHONPATH")
    if inherited is not None:
        left = os.pathsep.join(_without_sdk(inherited.split(os.pathsep)))
        if left:
            os.environ["PYTHONPATH"] = left
        else:
            del os.environ["PYTHONPATH"]


def _without_sdk(folders):
    """The service puts the folder of its SDK for workers on the path; a session is no place for that."""
    return [each for each in folders if not os.path.isfile(os.path.join(each, "troupe_worker.py"))]


if __name__ == "__main__":
    _make_way()
    from troupe_session.kernel import serve

    serve()
