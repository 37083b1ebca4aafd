"""``--batch``: many pictures at once, in folders named by the values of columns."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tkstudies.plots.colours import word
from tkstudies.records import ROW_KEYS, Record

_UNSAFE = re.compile(r"[^\w.+=@-]+")  # \w also has the letters of other alphabets
_LONGEST = 80  # letters of a name, of which each may need four bytes
_PNG = ".png"


class Part(NamedTuple):
    """The records of one picture, and its path in the folder, without an ending."""

    path: str
    records: list[Record]


class Folder(NamedTuple):
    """Where the pictures of one format go."""

    name: str
    ending: str

    def file(self, path: str) -> str:
        """The file of a picture; its folder is made."""
        file = os.path.join(self.name, path + self.ending)
        os.makedirs(os.path.dirname(file), exist_ok=True)
        return file


def folders(outputs: Sequence[str]) -> list[Folder]:
    """The folders that ``-o`` names: the ending, if there is one, chooses the format.

    >>> folders(["maps", "maps.pdf", "maps.v2/"])
    [Folder(name='maps', ending='.png'), Folder(name='maps', ending='.pdf'), Folder(name='maps.v2', ending='.png')]
    """
    found = []
    for output in outputs:
        name, ending = os.path.splitext(output)
        if output.endswith("/") or os.path.isdir(output) or not ending:
            name, ending = output.rstrip("/") or "/", _PNG
        found.append(Folder(name, ending))
    return found


def parts(records: Sequence[Record], columns: Sequence[str], one_by_one: bool) -> Iterator[Part]:
    """The records of each picture.

    One by one, each record is a picture in the folders of its values, named by run, reconstruction, lumisection and
    histogram. Else all records that agree in the columns are one, named by the value of the last column.

    Example:
        >>> rows = [{"run_number": 1, "reco": "a/b"}, {"run_number": 2, "reco": "a/b"}]
        >>> [(part.path, len(part.records)) for part in parts(rows, ["reco"], one_by_one=True)]
        [('a_b/1_a_b', 1), ('a_b/2_a_b', 1)]
        >>> [(part.path, len(part.records)) for part in parts(rows, ["reco"], one_by_one=False)]
        [('a_b', 2)]
    """
    taken: set[str] = set()
    if one_by_one:
        for record in records:
            names = [safe_name(record[key]) for key in (*ROW_KEYS, "name") if record.get(key) is not None]
            path = os.path.join(*(safe_name(record.get(column)) for column in columns), "_".join(names) or "record")
            yield Part(_unique(path, taken), [record])
        return
    members: dict[tuple[str, ...], list[Record]] = {}
    for record in records:
        members.setdefault(tuple(word(record.get(column)) for column in columns), []).append(record)
    for values, own in members.items():
        yield Part(_unique(os.path.join(*map(safe_name, values)), taken), own)


def safe_name(value: Any) -> str:
    """A value as the name of a file or folder: no path, not hidden, not too long, never empty.

    >>> safe_name("../etc/passwd"), safe_name(None), safe_name(True), safe_name("a b\\n"), safe_name("")
    ('etc_passwd', 'no_value', 'true', 'a_b', 'empty')
    """
    text = _UNSAFE.sub("_", word(value).encode("utf-8", "replace").decode())
    text = re.sub(r"\.\.+", ".", text).strip("._")
    return text.lstrip("-")[:_LONGEST] or "empty"


def _unique(path: str, taken: set[str]) -> str:
    """The path, with a number behind it if another picture has it, also on systems that ignore capitals."""
    found, number = path, 1
    while found.lower() in taken:
        number += 1
        found = f"{path}-{number}"
    taken.add(found.lower())
    return found
