"""What of a playlist is passed over, counted by kind, so that nothing is left out in silence."""

from framesearch.text import safe_text

_NAMED = 3  # names of a kind that a note gives
_KINDS = 12  # kinds that it tells apart
_LONGEST_NAME = 60  # characters


class PassedOver:
    """Counts members of a playlist that are not taken, and puts them into words."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._names: dict[str, list[str]] = {}

    def add(self, kind: str, name: str = "") -> None:
        """Count one more.

        Args:
            kind: in the singular: "picture", "folder that can't be read".
            name: of the member, where somebody may want to do something about it.
        """
        self._counts[kind] = self._counts.get(kind, 0) + 1
        names = self._names.setdefault(kind, [])
        if name and len(names) < _NAMED:
            names.append(safe_text(name, _LONGEST_NAME))

    def note(self) -> str | None:
        """In words, kinds with names first, then the most frequent; None where nothing was passed over.

        Such as "1 folder that can't be read: lost+found; 3 pictures, 2 texts".
        """
        ranked = sorted(self._counts, key=lambda kind: (not self._names[kind], -self._counts[kind]))
        named = [self._described(kind) for kind in ranked[:_KINDS] if self._names[kind]]
        counted = [self._described(kind) for kind in ranked[:_KINDS] if not self._names[kind]]
        rest = sum(self._counts[kind] for kind in ranked[_KINDS:])
        if rest:
            counted.append(f"{rest} of other kinds")
        parts = [*named, ", ".join(counted)] if counted else named
        return "; ".join(parts) or None

    def _described(self, kind: str) -> str:
        count, names = self._counts[kind], self._names[kind]
        described = f"{count} {kind if count == 1 else _plural(kind)}"
        if names:
            more = f" and {count - len(names)} more" if count > len(names) else ""
            described += f": {', '.join(names)}{more}"
        return described


def _plural(kind: str) -> str:
    noun, relative, clause = kind.partition(" that ")
    noun, preposition, place = noun.partition(" out of ")
    clause = f"are {clause.removeprefix('is ')}" if clause.startswith("is ") else clause
    return f"{noun}s{preposition}{place}{relative}{clause}"
