"""What the service is told of values and errors: JSON where that is possible, text where it is not, never too much of it."""

import os

from .interruption import ExecutionCancelled, calling
from .wire import Unsendable, check_sendable

LONGEST_REPR = 65_536
LONGEST_MESSAGE = 8_192
LONGEST_TRACEBACK = 32_768
#: Of one frame's 10 MiB; a larger value is shown, not sent.
LARGEST_VALUE_BYTES = 4 * 1_048_576

_SMALL = 2**53

_KERNEL_FOLDER = os.path.dirname(os.path.abspath(__file__)) + os.sep


def cut(text, longest):
    if len(text) <= longest:
        return text
    return "%s … %s" % (text[: longest // 2], text[-(longest // 2) :])


def type_name(value):
    kind = type(value)
    module = getattr(kind, "__module__", None)
    if module in (None, "builtins", "__main__") or not isinstance(module, str):
        return kind.__qualname__
    return "%s.%s" % (module, kind.__qualname__)


def show(value, longest=LONGEST_REPR):
    """A value's repr, whatever that does."""
    try:
        return cut(calling(repr, value), longest)
    except ExecutionCancelled:
        raise
    except BaseException as error:
        return "<%s whose repr raised %s>" % (type_name(value), type(error).__qualname__)


def describe(value, wire):
    """The fields by which a value is told: value, serialisable, repr, type."""
    kind = type(value)
    if kind is bool or (kind is int and -_SMALL < value < _SMALL):  # What most results are, told in a tenth of the time.
        return {"value": value, "serialisable": True, "repr": repr(value), "type": kind.__name__}
    told = {"value": None, "serialisable": False, "repr": show(value), "type": type_name(value)}
    # Below the message, its value, and the object that holds this one.
    if calling(_is_sendable, value, wire):
        told["value"] = value
        told["serialisable"] = True
    return told


def _is_sendable(value, wire):
    kind = type(value)
    if value is None or kind is bool:
        return True
    try:
        check_sendable(value, wire.max_depth - 4)
        if kind is int or kind is float:
            return True
        return len(wire.frame({"v": value})) <= min(LARGEST_VALUE_BYTES, wire.max_frame_bytes // 2)
    except (Unsendable, TypeError, ValueError, RecursionError, MemoryError):
        return False


def text_of(error):
    try:
        return str(error)
    except Exception as worse:
        return "(its text raised %s)" % (type(worse).__qualname__,)


def traceback_of(error):
    """As Python prints it, with the frames of user code only."""
    import traceback

    try:
        told = traceback.TracebackException(type(error), error, error.__traceback__)
    except Exception:  # An exception class that is broken itself.
        return "%s: (its traceback cannot be shown)\n" % (type(error).__qualname__,)
    seen = set()
    waiting = [told]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        each.stack = traceback.StackSummary.from_list(
            [frame for frame in each.stack if not frame.filename.startswith(_KERNEL_FOLDER)]
        )
        waiting += [each.__cause__, each.__context__, *(getattr(each, "exceptions", None) or ())]
    try:
        return cut("".join(told.format()), LONGEST_TRACEBACK)
    except Exception:
        return "%s: %s\n" % (type(error).__qualname__, cut(text_of(error), LONGEST_MESSAGE))

