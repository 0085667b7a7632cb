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
        self._shown = {}
        self._next_output = 0
        self._next_input = 0
        #: The protected names that are history's, as they are now.
        self.names = {
            "_": None,
            "__": None,
            "___": None,
            "_i": "",
            "_ii": "",
            "_iii": "",
            "In": self.inputs,
            "Out": self.outputs,
            "_ih": self.inputs,
            "_oh": self.outputs,
        }

    def entered(self, code):
        index = self._next_input
        self._next_input = index + 1
        self.inputs[index] = code
        self.inputs.pop(index - self._limit, None)
        names = self.names
        names["_iii"], names["_ii"], names["_i"] = names["_ii"], names["_i"], code

    def resulted(self, value, code, text):
        """Notes an expression's result, which is not None, and returns its number."""
        index = self._next_output
        self._next_output = index + 1
        self.outputs[index] = value
        self._shown[index] = (code, text)
        self.outputs.pop(index - self._limit, None)
        self._shown.pop(index - self._limit, None)
        names = self.names
        names["___"], names["__"], names["_"] = names["__"], names["_"], value
        return index

    def entries(self, first, last):
        """The results numbered from `first` to `last`, both included where given."""
        return [
            {"index": index, "code": code, "repr": text}
            for index, (code, text) in self._shown.items()
            if (first is None or index >= first) and (last is None or index <= last)
        ]

    @property
    def executions(self):
        return self._next_input
