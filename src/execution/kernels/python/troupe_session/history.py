"""In and Out: what a session's code was, and the results of its expressions.

Only an expression's result that is not None moves `_` to `__` to `___` and is numbered, from 0, in `Out`; assignments and None
never. Both hold the last so many and forget the oldest, whose numbers are not given again.
"""


class History:
    def __init__(self, limit):
        self._limit = limit
        #: By number: an index given once stays true when the oldest are forgotten.
        self.outputs = {}
        self.inputs = {}
        self._codes = {}
        self._next_output = 0
        self._next_input = 0
        self._results = (None, None, None)
        self._recent = ("", "", "")

    def entered(self, code):
        self.inputs[self._next_input] = code
        self._next_input += 1
        self._recent = (code, self._recent[0], self._recent[1])
        _forget(self.inputs, self._limit)

    def resulted(self, value, code, text):
        """Notes an expression's result and returns its number; None is none."""
        if value is None:
            return None
        index = self._next_output
        self._next_output += 1
        self.outputs[index] = value
        self._codes[index] = (code, text)
        self._results = (value, self._results[0], self._results[1])
        _forget(self.outputs, self._limit)
        _forget(self._codes, self._limit)
        return index

    def names(self):
        """The protected names and what they are now."""
        return {
            "_": self._results[0],
            "__": self._results[1],
            "___": self._results[2],
            "_i": self._recent[0],
            "_ii": self._recent[1],
            "_iii": self._recent[2],
            "In": self.inputs,
            "Out": self.outputs,
            "_ih": self.inputs,
            "_oh": self.outputs,
        }

    def entries(self, first, last):
        """The results numbered from `first` to `last`, both included where given."""
        return [
            {"index": index, "code": code, "repr": text}
            for index, (code, text) in self._codes.items()
            if (first is None or index >= first) and (last is None or index <= last)
        ]

    @property
    def executions(self):
        return self._next_input


def _forget(entries, limit):
    while len(entries) > limit:
        del entries[next(iter(entries))]
