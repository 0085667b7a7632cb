"""Carrying a namespace to another process: what can be kept of it, and why the rest cannot.

Values go by pickle, one by one; modules by name; functions and classes that were defined in the session by their source, which is
run again where they are restored. What is kept can be restored: a value whose class is lost is lost with it.

Two names of one function stay that; two names of one list come back as two lists; defaults and decorators of a definition are evaluated anew.
"""

import base64
import json
import sys
import types

from .interruption import ExecutionCancelled, calling
from .namespace import is_users

FORMAT = "troupe-python-1"

_MODULE, _SOURCE, _VALUE, _ALIAS = b"M", b"S", b"V", b"A"
#: Bytes of a frame that are not blobs: names, reasons, the message itself.
_RESERVED_BYTES = 262_144
_LONGEST_WHY = 300


class _Definition:
    __slots__ = ("value", "record")

    def __init__(self, value, record):
        self.value = value
        self.record = record


class Checkpoints:
    def __init__(self, session):
        self._session = session
        self._definitions = {}
        self._order = 0

    def defined(self, compiled, before):
        """Notes the source of what an execution has defined at its top level."""
        if not compiled.definitions:
            return
        names = self._session.namespace.names
        for name, source in compiled.definitions:
            value = names.get(name)
            if value is None or value is before.get(name):
                continue  # The definition was not reached.
            self._note(name, value, source, compiled)

    def _note(self, name, value, source, compiled):
        self._order += 1
        record = {"source": source, "order": self._order, "flags": compiled.flags}
        self._definitions[name] = _Definition(value, record)

    def take(self, names=None):
        """Everything that can be kept, or those of some names."""
        have = self._session.namespace.names
        for name in [name for name, each in self._definitions.items() if have.get(name) is not each.value]:
            del self._definitions[name]
        wanted = [name for name in list(have) if is_users(name)] if names is None else names
        blobs, needs, lost = {}, {}, {}
        for name in wanted:
            if name not in have or not is_users(name):
                lost[name] = "there is no such name"
                continue
            try:
                blobs[name], needs[name] = self._blob(name, have[name])
            except ExecutionCancelled:
                raise
            except Exception as error:
                lost[name] = _why(error)
        self._lose_orphans(blobs, needs, lost)
        data = self._fitting(blobs, lost)
        return {
            "format": FORMAT,
            "data": data,
            "kept": list(data),
            "lost": [{"name": name, "why": why} for name, why in lost.items()],
        }

    def _blob(self, name, value):
        """A value's bytes, and the session's own definitions that they need."""
        if isinstance(value, types.ModuleType):
            if sys.modules.get(value.__name__) is not value:
                raise ValueError("a module that cannot be imported by its name")
            return _MODULE + value.__name__.encode("utf-8"), ()
        definition = self._definitions.get(name)
        if definition is not None:
            return _SOURCE + json.dumps(definition.record).encode("utf-8"), ()
        if isinstance(value, (types.FunctionType, type)) and value.__module__ == "__main__":
            for other, each in self._definitions.items():
                if each.value is value:
                    return _ALIAS + other.encode("utf-8"), (other,)
            raise ValueError("its source is not known: only what the top level defines can be kept")
        data, needed = calling(_pickled, value)
        return _VALUE + data, needed

    @staticmethod
    def _lose_orphans(blobs, needs, lost):
        kept_sources = {name for name, blob in blobs.items() if blob[:1] == _SOURCE}
        for name, needed in needs.items():
            missing = sorted(set(needed) - kept_sources)
            if missing:
                del blobs[name]
                lost[name] = "it needs %s, which cannot be kept" % (", ".join(missing),)

    def _fitting(self, blobs, lost):
        room = self._session.wire.max_frame_bytes - _RESERVED_BYTES
        data = {}
        for name, blob in blobs.items():
            text = base64.b64encode(blob).decode("ascii")
            size = len(text) + len(name) + 8
            if size > room:
                lost[name] = "too large: %d bytes, and a checkpoint has room for %d more" % (size, max(0, room))
                continue
            room -= size
            data[name] = text
        return data

    def restore(self, form, data):
        """Puts back what a checkpoint kept; what cannot be is told, and nothing else suffers."""
        if form != FORMAT:
            return {"restored": [], "lost": [{"name": name, "why": "an unknown format"} for name in data]}
        modules, sources, values, aliases, lost = {}, [], {}, {}, {}
        for name, text in data.items():
            try:
                blob = base64.b64decode(text, validate=True)
            except ValueError as error:
                lost[name] = _why(error)
                continue
            if not is_users(name) or blob[:1] not in (_MODULE, _SOURCE, _VALUE, _ALIAS):
                lost[name] = "not of a checkpoint"
            elif blob[:1] == _ALIAS:
                aliases[name] = blob[1:].decode("utf-8")
            elif blob[:1] == _MODULE:
                modules[name] = blob[1:]
            elif blob[:1] == _SOURCE:
                sources.append((name, json.loads(blob[1:])))
            else:
                values[name] = blob[1:]
        restored = []
        self._each(modules.items(), self._restore_module, restored, lost)
        sources.sort(key=lambda each: each[1]["order"])
        failed = {}
        self._each(sources, self._restore_source, restored, failed)
        self._each(values.items(), self._restore_value, restored, lost)
        # Some definitions need values, in defaults and decorators.
        self._each([each for each in sources if each[0] in failed], self._restore_source, restored, lost)
        self._each(aliases.items(), self._restore_alias, restored, lost)
        return {"restored": restored, "lost": [{"name": name, "why": why} for name, why in lost.items()]}

    @staticmethod
    def _each(items, restore, restored, lost):
        for name, what in items:
            try:
                restore(name, what)
            except ExecutionCancelled:
                raise
            except BaseException as error:
                lost[name] = _why(error)
            else:
                restored.append(name)

    def _restore_module(self, name, what):
        import importlib

        self._session.namespace.names[name] = calling(importlib.import_module, what.decode("utf-8"))

    def _restore_source(self, name, record):
        session = self._session
        names = session.namespace.names
        compiled = session.cache.compiled(record["source"], None, True, record["flags"])
        session.executions.remember(compiled)
        calling(exec, compiled.body, names)
        self._note(name, names[name], record["source"], compiled)

    def _restore_alias(self, name, other):
        names = self._session.namespace.names
        names[name] = names[other]

    def _restore_value(self, name, what):
        import pickle

        self._session.namespace.names[name] = calling(pickle.loads, what)


def _pickled(value):
    import io
    import pickle

    needed = set()

    class Pickler(pickle.Pickler):
        def reducer_override(self, each):
            if isinstance(each, (type, types.FunctionType)) and each.__module__ == "__main__":
                needed.add(each.__qualname__.partition(".")[0])
            return NotImplemented

    out = io.BytesIO()
    Pickler(out, 4).dump(value)
    return out.getvalue(), needed


def _why(error):
    return ("%s: %s" % (type(error).__qualname__, error))[:_LONGEST_WHY]
