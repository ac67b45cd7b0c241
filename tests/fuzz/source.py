"""Choices read off the front of bytes, so that a fuzzer's bytes can stand for anything."""


class Source:
    """What is left of some bytes; where nothing is left, all that is read is zero."""

    def __init__(self, data):
        self._data, self._at = data, 0

    def byte(self):
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def below(self, count):
        """An int in 0..count-1, count at most 256."""
        return self.byte() % count

    def pick(self, choices):
        return choices[self.below(len(choices))]

    def take(self, size):
        """So many bytes."""
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken + bytes(size - len(taken))

    def number(self, size):
        """An int of so many bytes."""
        return int.from_bytes(self.take(size), "little")

    def rest(self):
        rest = self._data[self._at :]
        self._at = len(self._data)
        return rest

    def __bool__(self):
        """Whether anything is left."""
        return self._at < len(self._data)
