"""The user's names: one dictionary for the session's life, of the module `__main__`.

Kept true: the dictionary is never replaced, by nothing; the protected names are the engine's: what user code does to them
lasts until its execution ends, and a merge never touches them.
"""

import sys
import types

from _operator import is_

from .values import show, type_name

#: Written by the engine only.
PROTECTED = frozenset(
    ("_", "__", "___", "_i", "_ii", "_iii", "In", "Out", "_oh", "_ih", "_exit_code", "_exception")
)
_LONGEST_LISTED = 200

STRATEGIES = ("overwrite", "preserve", "smart")
TRANSACTIONS = ("commit_always", "rollback_on_failure", "rollback_always")


class Namespace:
    def __init__(self, main_file, history):
        self.module = types.ModuleType("__main__")
        self.names = self.module.__dict__
        if main_file is not None:
            self.names["__file__"] = main_file
        sys.modules["__main__"] = self.module
        self._protected = history.names
        self._protected.update(_exit_code=None, _exception=None)
        self.protect()

    def __len__(self):
        return sum(1 for name in list(self.names) if is_users(name))

    def set_engine(self, name, value):
        """Writes one of the protected names."""
        self._protected[name] = value

    def protect(self):
        """Gives the protected names their values back."""
        self.names.update(self._protected)

    # What an execution did.

    def before(self):
        return dict(self.names)

    def changed(self, before):
        """The user's names that were added, bound to something else, or deleted since."""
        names = self.names
        if len(names) == len(before) and all(map(is_, names.values(), before.values())) and names.keys() == before.keys():
            return []
        found = [name for name, value in names.items() if name not in before or before[name] is not value]
        found += [name for name in before if name not in names]
        return [name for name in found if is_users(name)]

    def snapshot(self):
        """The user's names with copies of their values; what cannot be copied is kept as it is."""
        import copy

        memo = {}
        kept = {}
        for name, value in self._users():
            try:
                kept[name] = copy.deepcopy(value, memo)
            except Exception:
                kept[name] = value
        return kept

    def roll_back(self, snapshot):
        for name in [name for name, _value in self._users() if name not in snapshot]:
            del self.names[name]
        self.names.update(snapshot)

    # What the service asks.

    def listing(self):
        return [
            {"name": name, "type": type_name(value), "size": _size(value), "repr": show(value, _LONGEST_LISTED)}
            for name, value in self._users()
        ]

    def get(self, name):
        """A user's value; KeyError where there is none."""
        if not isinstance(name, str) or name not in self.names:
            raise KeyError(name)
        return self.names[name]

    def merge(self, values, strategy):
        """Takes names over and returns those that really changed. Protected names are none of the caller's."""
        changed = []
        for name, value in values.items():
            if not is_users(name):
                continue
            if name in self.names and not _replaces(self.names[name], value, strategy):
                continue
            self.names[name] = value
            changed.append(name)
        return changed

    def delete(self, names):
        found = [name for name in names if isinstance(name, str) and name in self.names and is_users(name)]
        for name in found:
            del self.names[name]
        return found

    def clear(self):
        return self.delete([name for name, _value in self._users()])

    def _users(self):
        return [(name, value) for name, value in list(self.names.items()) if is_users(name)]


def is_users(name):
    """Neither the engine's nor one of those that every module has, or gets from Python by the way."""
    return name not in PROTECTED and not (name.startswith("__") and name.endswith("__"))


def _replaces(old, new, strategy):
    if strategy == "overwrite":
        return not _equal(old, new)
    if strategy == "preserve":
        return False
    if old is not None and new is None:
        return False
    if _is_empty(new) and not _is_empty(old):
        return False
    return not _equal(old, new)


def _is_empty(value):
    return isinstance(value, (str, bytes, list, tuple, dict, set, frozenset)) and len(value) == 0


def _equal(old, new):
    """Equal and of one kind, as far as that can be asked: an array's answer is no truth."""
    if old is new:
        return True
    try:
        return type(old) is type(new) and bool(old == new)
    except Exception:
        return False


def _size(value):
    try:
        return sys.getsizeof(value, 0)
    except Exception:
        return 0
