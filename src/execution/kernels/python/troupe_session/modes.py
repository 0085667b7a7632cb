"""What a piece of code is, found by parsing; and the cache of what was compiled.

The modes, in the order in which they are tried: `top_level_await` (the code itself awaits; awaits within functions do not
count), `async_def` (it defines an async function), `blocking_sync` (it imports a module or makes a call that waits for the outside
world), `simple_sync`, and `unknown` for what does not parse. The cache holds the last 100 and is asked before anything is parsed.
"""

import _ast
from collections import OrderedDict

try:  # hashlib loads OpenSSL, for which there is no need.
    from _sha256 import sha256
except ImportError:
    try:
        from _sha2 import sha256
    except ImportError:
        from hashlib import sha256

CACHE_SIZE = 100

_ONLY_AST = 0x400  # ast.PyCF_ONLY_AST
_TOP_LEVEL_AWAIT = 0x2000  # ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
_COROUTINE = 0x80 | 0x200  # inspect.CO_COROUTINE | CO_ASYNC_GENERATOR
_BLOCKING_MODULES = frozenset(
    ("requests", "urllib", "socket", "subprocess", "sqlite3", "psycopg2", "pymongo", "redis")
)
_BLOCKING_CALLS = frozenset(("open", "input", "sleep", "wait", "read", "write", "recv", "send"))
_SCOPES = (_ast.FunctionDef, _ast.AsyncFunctionDef, _ast.Lambda)
_FUTURES = 0


def _future_flags():
    """The flags by which `from __future__ import …` shows in compiled code."""
    global _FUTURES
    if _FUTURES == 0:
        import __future__

        for name in __future__.all_feature_names:
            _FUTURES |= getattr(__future__, name).compiler_flag
    return _FUTURES


class Compiled:
    """Code ready to run: a body, then the expression whose value is the result. Either may be missing."""

    __slots__ = ("mode", "body", "expression", "definitions", "filename", "source", "flags")

    @property
    def awaits(self):
        return self.mode == "top_level_await"


class Cache:
    """Compiled code by the digest of its text, least recently used first."""

    def __init__(self, size=CACHE_SIZE):
        self._entries = OrderedDict()
        self._limit = size
        self.hits = 0
        self.misses = 0
        #: `from __future__` of earlier code of the session holds for later code, as in any REPL.
        self.flags = 0

    def __len__(self):
        return len(self._entries)

    def compiled(self, source, filename, as_script, flags=None):
        """Raises SyntaxError (or ValueError, for null bytes) for what does not compile."""
        flags = self.flags if flags is None else flags
        digest = sha256(source.encode("utf-8", "surrogatepass")).digest()
        key = (digest, filename, as_script, flags)
        found = self._entries.get(key)
        if found is not None:
            self._entries.move_to_end(key)
            self.hits += 1
            return found
        self.misses += 1
        # By its digest and not by a number: the same code is the same code.
        found = compile_source(source, filename or "<code %s>" % (digest[:4].hex(),), as_script, flags)
        self._entries[key] = found
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)
        return found


def compile_source(source, filename, as_script, flags=0):
    tree = compile(source, filename, "exec", _ONLY_AST | _TOP_LEVEL_AWAIT | flags, True)
    found = Compiled()
    found.filename = filename
    found.source = source
    found.definitions = _definitions(tree, source)
    last = None
    if not as_script and tree.body and isinstance(tree.body[-1], _ast.Expr):
        last = tree.body.pop()
    found.body = found.expression = None
    if tree.body:
        found.body = compile(tree, filename, "exec", _TOP_LEVEL_AWAIT | flags, True)
        if "__future__" in found.body.co_names:
            flags |= found.body.co_flags & _future_flags()
    if last is not None:
        expression = _ast.Expression(last.value)
        found.expression = compile(expression, filename, "eval", _TOP_LEVEL_AWAIT | flags, True)
        tree.body.append(last)
    found.flags = flags
    found.mode = _mode(tree, (found.body, found.expression))
    return found


def _mode(tree, codes):
    # The compiler itself says whether the code awaits, and it is never wrong about what is nested and what is not.
    if any(code is not None and code.co_flags & _COROUTINE for code in codes):
        return "top_level_await"
    nodes = list(_reached(tree))
    if any(isinstance(node, _ast.AsyncFunctionDef) for node in nodes):
        return "async_def"
    shadowed = frozenset(_bound(nodes))
    if any(_blocks(node, shadowed) for node in nodes):
        return "blocking_sync"
    return "simple_sync"


def _reached(tree):
    """What runs when the code runs: all nodes but the insides of functions."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, _SCOPES):
            continue
        for field in node._fields:
            value = getattr(node, field, None)
            if isinstance(value, list):
                waiting.extend(each for each in value if isinstance(each, _ast.AST))
            elif isinstance(value, _ast.AST):
                waiting.append(value)


def _blocks(node, shadowed):
    if isinstance(node, _ast.Import):
        return any(alias.name.split(".")[0] in _BLOCKING_MODULES for alias in node.names)
    if isinstance(node, _ast.ImportFrom):
        return (node.module or "").split(".")[0] in _BLOCKING_MODULES
    if not isinstance(node, _ast.Call):
        return False
    if isinstance(node.func, _ast.Name):
        return node.func.id in _BLOCKING_CALLS and node.func.id not in shadowed
    return isinstance(node.func, _ast.Attribute) and node.func.attr in _BLOCKING_CALLS


def _bound(nodes):
    """Names that the code gives a meaning of its own; an import of `sleep` gives it the usual one."""
    for node in nodes:
        if isinstance(node, _ast.Name) and isinstance(node.ctx, _ast.Store):
            yield node.id
        elif isinstance(node, (_ast.FunctionDef, _ast.AsyncFunctionDef, _ast.ClassDef)):
            yield node.name


def _definitions(tree, source):
    """What the top level defines by its source, as that stands at the end: functions, classes, named lambdas."""
    found = {}
    for node in tree.body:
        for name in _bound(_reached(node)):  # It is something else from here on.
            found.pop(name, None)
        if isinstance(node, (_ast.FunctionDef, _ast.AsyncFunctionDef, _ast.ClassDef)):
            first = min([node.lineno] + [each.lineno for each in node.decorator_list])
            found[node.name] = (first, node.col_offset, node.end_lineno, node.end_col_offset)
        elif isinstance(node, _ast.Assign) and isinstance(node.value, _ast.Lambda) and len(node.targets) == 1:
            if isinstance(node.targets[0], _ast.Name):
                place = (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)
                found[node.targets[0].id] = place
    if not found:
        return ()
    lines = source.encode("utf-8", "surrogatepass").splitlines(True)
    return [(name, _cut_out(lines, *place)) for name, place in found.items()]


def _cut_out(lines, first, start, last, end):
    """A piece of source. Columns are counted in bytes."""
    pieces = lines[first - 1 : last]
    pieces[-1] = pieces[-1][:end]
    pieces[0] = pieces[0][start:]
    return b"".join(pieces).decode("utf-8", "surrogatepass")
