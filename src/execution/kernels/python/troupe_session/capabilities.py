"""What code may do, by policy, enforced where its names are made: `blocked`, then `unrestricted`, then `allowed`, then deny.

The functions of capabilities are built-in names of the session, which code may shadow. What is not allowed raises
CapabilityDenied; each check but that of `print` is told to the service as an `audit`. Below `unrestricted` the session's own
`open` goes through the same rules, and on the two lowest levels modules that lead outside cannot be imported by the code itself.

None of it is a security boundary: a language that can look at itself can get around it. The process is a boundary for faults.
"""

import builtins
import os
import sys

from .files import Files, OutsideRoots
from .values import cut, show

LADDER = (
    ("sandbox", ("print", "display")),
    ("restricted", ("input", "read_file", "time", "env")),
    ("standard", ("write_file", "fetch", "query")),
    ("trusted", ("websocket", "store", "approve", "review")),
)
#: Done by the service, with whatever arguments the code gives.
_REQUESTED = ("query", "websocket", "store", "approve", "review")
#: What leads out of the process: not for the two lowest levels.
_OUTWARD_MODULES = frozenset(
    """os posix nt subprocess shutil pathlib tempfile glob fileinput mmap ctypes _ctypes multiprocessing signal pty resource
    socket _socket ssl select selectors socketserver http urllib ftplib smtplib poplib imaplib telnetlib xmlrpc webbrowser
    requests httpx aiohttp sqlite3 dbm shelve importlib runpy""".split()
)
_CLOCK_MODULES = frozenset(("time", "sched"))
_LONGEST_DETAIL = 200


class CapabilityDenied(PermissionError):
    """The session's policy does not allow it."""


CapabilityDenied.__module__ = "builtins"


class Policy:
    """Frozen answers to one question: may it?"""

    def __init__(self, policy):
        self.level = policy.get("level", "unrestricted")
        names = [name for name, _capabilities in LADDER]
        top = names.index(self.level) if self.level in names else len(names) - 1
        self._allowed = frozenset(
            capability for _name, capabilities in LADDER[: top + 1] for capability in capabilities
        ).union(policy.get("allow") or ())
        self._blocked = frozenset(policy.get("block") or ())
        if policy.get("input") is False:
            self._blocked |= {"input"}
        self.hosts = [str(host).lower() for host in policy.get("hosts") or ()]
        self.roots = policy.get("roots") or ()
        self.read_max_bytes = policy.get("readMaxBytes", 10 * 1_048_576)
        self.read_timeout_ms = policy.get("readTimeoutMs", 10_000)
        self.fetch_timeout_ms = policy.get("fetchTimeoutMs", 30_000)

    @property
    def is_unrestricted(self):
        return self.level == "unrestricted"

    @property
    def keeps_inside(self):
        return self.level in ("sandbox", "restricted")

    def allows(self, capability):
        if capability in self._blocked:
            return False
        return self.is_unrestricted or capability in self._allowed

    def allows_module(self, name):
        named = "import:" + name
        if named in self._blocked:
            return False
        if self.is_unrestricted or named in self._allowed:
            return True
        if name in _CLOCK_MODULES:
            return self.allows("time")
        return not (self.keeps_inside and name in _OUTWARD_MODULES)

    @property
    def minds_modules(self):
        return self.keeps_inside or not self.allows("time") or any(each.startswith("import:") for each in self._blocked)

    def allows_host(self, host):
        if self.is_unrestricted:
            return True
        host = host.lower().rstrip(".")
        return any(
            host == each or (each.startswith("*.") and host.endswith(each[1:]) and len(host) > len(each) - 1)
            for each in self.hosts
        )


class Capabilities:
    def __init__(self, session, policy):
        self._session = session
        self._policy = Policy(policy)
        self._files = Files(self._policy)

    def inject(self, namespace):
        """Gives a namespace its built-in names."""
        names = {
            "CapabilityDenied": CapabilityDenied,
            "display": self.display,
            "progress": self.progress,
            "input": self.input,
            "read_file": self.read_file,
            "write_file": self.write_file,
            "env": self.env,
            "fetch": self.fetch,
        }
        for capability in _REQUESTED:
            names[capability] = self._requesting(capability)
        if self._policy.is_unrestricted:
            # The language as it is, with some names more.
            for name, value in names.items():
                setattr(builtins, name, value)
            namespace.names["__builtins__"] = builtins
        else:
            names["open"] = self.open
            own = dict(vars(builtins), **names)
            if self._policy.minds_modules:
                own["__import__"] = self._importing()
            namespace.names["__builtins__"] = own
        sys.stdin = sys.__stdin__ = _Input(self._line)
        _ask_secrets_with(self._secret)

    # In the user's code.

    def display(self, value="", /, **mime):
        """Shows a value: a dict of texts by MIME type as it is, else as the value itself says, else its repr."""
        self._check("display", "call", "")
        if mime:
            data = {name.replace("_", "/", 1): text for name, text in mime.items()}
        elif isinstance(value, dict) and value and all(_is_mime(name) for name in value):
            data = value
        else:
            data = _shown(value)
        data = {str(name): text if isinstance(text, str) else str(text) for name, text in data.items()}
        size = sum(len(text) for text in data.values())
        if size > self._session.wire.max_frame_bytes // 4:
            raise ValueError("display: %d characters are more than can be shown at once" % (size,))
        self._chunk({"kind": "display", "data": data}, size)

    def progress(self, value, /):
        """Tells how far the code is: any JSON."""
        from .wire import check_sendable

        check_sendable(value, self._session.wire.max_depth - 3)
        self._chunk({"kind": "progress", "value": value}, 1_024)

    def input(self, prompt="", /):
        """As Python's: a line, without its end; EOFError where there is none."""
        return self._ask(str(prompt), False)

    def read_file(self, path, /, encoding="utf-8"):
        """A file's text (its bytes, without an encoding), from below the folders that the policy names."""
        data = self._inside("read_file", "read", path, self._files.read, path)
        return data if encoding is None else data.decode(encoding)

    def write_file(self, path, content, /, append=False, encoding="utf-8"):
        """Writes text or bytes to a file below a folder that may be written to; returns how many bytes."""
        data = content.encode(encoding) if isinstance(content, str) else bytes(content)
        action = "append" if append else "write"
        return self._inside("write_file", action, path, self._files.write, path, data, append)

    def open(self, file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None):
        """As Python's, for files below the folders that the policy names."""
        if isinstance(file, int):
            return builtins.open(file, mode, buffering, encoding, errors, newline, closefd)
        if opener is not None:
            raise CapabilityDenied("open: an opener of one's own is not allowed here")
        capability = "write_file" if any(letter in mode for letter in "wax+") else "read_file"
        opened = self._inside(capability, "open " + mode, file, self._files.open, file, mode)
        try:
            return builtins.open(opened, mode.replace("x", "w"), buffering, encoding, errors, newline)
        except BaseException:
            try:
                os.close(opened)
            except OSError:
                pass
            raise

    def env(self, name, default=None, /):
        """A variable of the session's environment."""
        self._check("env", "read", name)
        return os.environ.get(name, default)

    def fetch(self, url, /, method="GET", headers=None, body=None):
        """Has the service fetch from a host that the policy names; what it answers is the service's affair."""
        from urllib.parse import urlsplit

        parts = urlsplit(str(url))
        host = parts.hostname or ""
        allowed = parts.scheme in ("http", "https") and self._policy.allows_host(host)
        self._check("fetch", method, url, allowed, "fetch: %s is not among the hosts of this session" % (cut(str(url), 200),))
        args = {"url": str(url), "method": method, "headers": dict(headers or {}), "body": body}
        return self._session.conversation.ask("fetch", args, self._policy.fetch_timeout_ms)

    # How.

    def _requesting(self, capability):
        def request(args=None, /, **named):
            self._check(capability, "request", "")
            return self._session.conversation.ask(capability, named if args is None else args)

        request.__name__ = request.__qualname__ = capability
        request.__doc__ = "Asks the service: its answer, or RequestFailed."
        return request

    def _importing(self):
        real = builtins.__import__

        def __import__(name, globals=None, locals=None, fromlist=(), level=0):
            top = name.partition(".")[0]
            if level == 0 and not self._policy.allows_module(top):
                self._check("import:" + top, "import", name, False)
            return real(name, globals, locals, fromlist, level)

        return __import__

    def _check(self, capability, action, detail, allowed=True, why=None):
        """One check: told to the service, and raised where it is in the negative."""
        allowed = allowed and self._policy.allows(capability)
        detail = cut(detail if isinstance(detail, str) else str(detail), _LONGEST_DETAIL)
        told = {"kind": "audit", "capability": capability, "action": action, "allowed": allowed, "detail": detail}
        self._chunk(told, 256)
        if not allowed:
            raise CapabilityDenied(why or "%s is not allowed in this session" % (capability,))

    def _inside(self, capability, action, path, act, *args):
        """Does something with a file: one check, of the policy and of where the file turned out to be."""
        why = None
        if self._policy.allows(capability):
            try:
                result = act(*args)
            except OutsideRoots as outside:
                why = str(outside)
        self._check(capability, action, path, why is None, why)
        return result

    def _chunk(self, chunk, size):
        self._session.output.chunk(chunk, self._session.interruption.check, size)

    def _ask(self, prompt, secret):
        self._check("input", "secret" if secret else "input", prompt)
        return self._session.conversation.ask_input(prompt, secret)

    def _secret(self, prompt="Password: ", stream=None):
        return self._ask(prompt, True)

    def _line(self):
        try:
            return self._ask("", False) + "\n"
        except EOFError:
            return ""


class _Input:
    """sys.stdin: lines that are asked for as they are read."""

    encoding = "utf-8"
    errors = "strict"
    closed = False
    name = "<stdin>"
    mode = "r"

    def __init__(self, line):
        self._line = line
        self._rest = ""

    def readline(self, size=-1, /):
        if not self._rest:
            self._rest = self._line()
        end = len(self._rest) if size is None or size < 0 else size
        line, self._rest = self._rest[:end], self._rest[end:]
        return line

    def read(self, size=-1, /):
        if size is not None and size >= 0:
            return self.readline(size)
        return "".join(self)

    def readlines(self, _hint=-1, /):
        return list(self)

    def __iter__(self):
        return iter(self.readline, "")

    def __next__(self):
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def readable(self):
        return True

    def writable(self):
        return False

    def isatty(self):
        return False

    def fileno(self):
        return 0

    def close(self):
        """It stays: the next execution may read again."""


def _ask_secrets_with(ask):
    """`getpass.getpass` looks for a terminal; here there is none, but somebody to ask."""

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name != "getpass":
                return None
            sys.meta_path.remove(Finder)
            found = (finder.find_spec(name, path, target) for finder in sys.meta_path)
            spec = next(spec for spec in found if spec is not None)
            execute = spec.loader.exec_module

            def exec_module(module):
                execute(module)
                module.getpass = module.unix_getpass = module.fallback_getpass = ask

            spec.loader.exec_module = exec_module
            return spec

    sys.meta_path.insert(0, Finder)


def _is_mime(name):
    return isinstance(name, str) and name.count("/") == 1


def _shown(value):
    data = {}
    for name, method in (
        ("text/html", "_repr_html_"),
        ("image/svg+xml", "_repr_svg_"),
        ("text/markdown", "_repr_markdown_"),
        ("application/json", "_repr_json_"),
    ):
        text = getattr(value, method, None)
        text = text() if callable(text) and not isinstance(value, type) else None
        if isinstance(text, str):
            data[name] = text
    data["text/plain"] = value if isinstance(value, str) else show(value)
    return data
