"""Columns of Arrow types, as other programs write them, to the values of records.

Times become texts in ISO 8601, in UTC where they have a zone, with as many digits as they need; dates and times of
day likewise. Durations become numbers of seconds. Decimals become numbers with all their digits, bytes that are
UTF-8 texts; maps become objects if their keys are texts, else lists of pairs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from tkstudies.console import Losses
from tkstudies.errors import InputError

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_KNOWN_EXTENSIONS = {"arrow.json", "arrow.uuid", "arrow.bool8"}

Convert = Callable[[Any], Any]


class Column:
    """The values of one column of a Parquet file.

    Args:
        field: Its Arrow field.
        where: What messages begin with.

    Raises:
        InputError: Its type has no JSON.
    """

    def __init__(self, field: Any, where: str = ""):
        import pyarrow

        self.field = field
        self._where = where
        self._types = pyarrow.types
        self._infinite = 0
        self._has_durations = False
        extension = (field.metadata or {}).get(b"ARROW:extension:name", b"").decode()
        if extension and extension not in _KNOWN_EXTENSIONS:
            raise self._refused(f"values of the type {extension}")
        self._convert = self._converter(field.type)

    def values(self, array: Any) -> list[Any]:
        """Its values in one batch.

        Raises:
            InputError: It has bytes that aren't UTF-8.
        """
        if self._types.is_floating(array.type):
            self._infinite += self._count_infinite(array)
        try:
            if self._convert is None:
                return list(array.to_pylist())
            return [self._convert(scalar) if scalar.is_valid else None for scalar in array]
        except UnicodeDecodeError:
            raise self._refused("bytes that aren't UTF-8 text") from None

    def note(self, losses: Losses | None) -> None:
        """Note what its values don't say."""
        if losses is None:
            return
        losses.add(self._infinite, "infinite number", f"of {self.field.name} read as null", source=self._where[:-2])
        if self._has_durations:
            losses.note(f"{self._where}{self.field.name}: durations, read as numbers of seconds")

    def _refused(self, what: str) -> InputError:
        return InputError(f"{self._where}column {self.field.name} holds {what}: write the file without it, or as texts")

    @staticmethod
    def _count_infinite(array: Any) -> int:
        from pyarrow import compute, types

        if types.is_float16(array.type):  # for which pyarrow computes nothing before version 21
            return sum(value in (float("inf"), float("-inf")) for value in array.to_pylist())
        return compute.sum(compute.is_inf(array)).as_py() or 0

    def _converter(self, kind: Any) -> Convert | None:
        """What makes a value of a scalar that isn't null; None if pyarrow does it."""
        for is_kind, make in self._makers():
            if is_kind(kind):
                return make(kind)
        types = self._types
        plain = (types.is_boolean, types.is_integer, types.is_null, types.is_float32, types.is_float64, _is_text)
        if not any(is_kind(kind) for is_kind in plain):
            raise self._refused(f"values of the type {kind}")
        return None

    def _makers(self) -> list[tuple[Callable[[Any], bool], Callable[[Any], Convert | None]]]:
        types = self._types
        return [
            (types.is_timestamp, _timestamp),
            (types.is_date, lambda kind: _date),
            (types.is_time, lambda kind: lambda scalar: _time_of_day(scalar.value, kind.unit)),
            (types.is_duration, self._duration),
            (types.is_decimal, lambda kind: lambda scalar: exact(scalar.as_py())),
            (types.is_float16, lambda kind: lambda scalar: float(scalar.as_py())),
            (_is_binary, lambda kind: lambda scalar: scalar.as_py().decode()),
            (types.is_dictionary, lambda kind: self._inside(kind.value_type, lambda scalar: scalar.value)),
            (types.is_map, self._map),
            (_is_list, self._list),
            (types.is_struct, self._struct),
            (_is_extension, self._extension),
        ]

    def _duration(self, kind: Any) -> Convert:
        self._has_durations = True
        return lambda scalar: exact(Decimal(scalar.value) / _PER_SECOND[kind.unit])

    def _inside(self, kind: Any, inner: Convert) -> Convert | None:
        convert = self._converter(kind)
        return convert and (lambda scalar: convert(inner(scalar)))

    def _extension(self, kind: Any) -> Convert | None:
        if kind.extension_name == "arrow.uuid":
            return lambda scalar: str(scalar.as_py())
        if kind.extension_name not in _KNOWN_EXTENSIONS:
            raise self._refused(f"values of the type {kind.extension_name}")
        return self._inside(kind.storage_type, lambda scalar: scalar.value) or (lambda scalar: scalar.value.as_py())

    def _list(self, kind: Any) -> Convert | None:
        convert = self._converter(kind.value_type)
        return convert and (lambda scalar: [_of(convert, member) for member in scalar.values])

    def _struct(self, kind: Any) -> Convert | None:
        fields = [kind.field(i) for i in range(kind.num_fields)]
        repeated = [name for name, count in Counter(field.name for field in fields).items() if count > 1]
        if repeated:
            raise self._refused(f"two values of the name {repeated[0]}")
        converts = [self._converter(field.type) for field in fields]
        if not any(converts):
            return None
        return lambda scalar: {
            field.name: _of(convert, scalar[field.name]) for field, convert in zip(fields, converts, strict=True)
        }

    def _map(self, kind: Any) -> Convert:
        key, item = self._converter(kind.key_type), self._converter(kind.item_type)

        def pairs(scalar: Any) -> Any:
            found = [(_of(key, pair["key"]), _of(item, pair["value"])) for pair in _members(scalar, kind)]
            names = [name for name, _ in found]
            is_object = all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
            return dict(found) if is_object else [list(pair) for pair in found]

        return pairs


def _of(convert: Convert | None, scalar: Any) -> Any:
    if not scalar.is_valid:
        return None
    return convert(scalar) if convert else scalar.as_py()


def _members(scalar: Any, kind: Any) -> list[dict[str, Any]]:
    """The pairs of a map, as scalars."""
    members = scalar.values
    keys, items = members.field(0), members.field(1)
    return [{"key": key, "value": item} for key, item in zip(keys, items, strict=True)]


def exact(value: Decimal) -> Any:
    """A decimal number with all its digits: an integer, a float that has them, or JSON as it stands.

    >>> exact(Decimal("1.500")), exact(Decimal("3.0")), exact(Decimal("3"))
    (1.5, 3.0, 3)
    >>> bytes(exact(Decimal("0.12345678901234567890")))
    b'0.12345678901234567890'
    """
    if not value.is_finite():
        return None
    if value == value.to_integral_value() and int(value.as_tuple().exponent) >= 0:
        return int(value)
    close = float(value)
    return close if Decimal(repr(close)) == value else msgspec.Raw(format(value, "f").encode())


def _timestamp(kind: Any) -> Convert:
    from numpy import datetime64, datetime_as_string

    zone = "Z" if kind.tz else ""
    return lambda scalar: _short(str(datetime_as_string(datetime64(scalar.value, kind.unit)))) + zone


def _date(scalar: Any) -> str:
    from numpy import datetime64

    is_days = str(scalar.type).startswith("date32")
    return str(datetime64(scalar.value, "D" if is_days else "ms").astype("datetime64[D]"))


def _time_of_day(value: int, unit: str) -> str:
    """
    >>> _time_of_day(61_500, "ms"), _time_of_day(3600, "s")
    ('00:01:01.5', '01:00:00')
    """
    seconds, rest = divmod(value, _PER_SECOND[unit])
    digits = len(str(_PER_SECOND[unit])) - 1
    fraction = f".{rest:0{digits}}" if digits else ""
    return _short(f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}")


def _short(time: str) -> str:
    return time.rstrip("0").rstrip(".") if "." in time else time


def _is_text(kind: Any) -> bool:
    return str(kind) in ("string", "large_string", "string_view")


def _is_binary(kind: Any) -> bool:
    return str(kind).partition("[")[0] in ("binary", "large_binary", "binary_view", "fixed_size_binary")


def _is_list(kind: Any) -> bool:
    return str(kind).partition("<")[0] in ("list", "large_list", "fixed_size_list", "list_view", "large_list_view")


def _is_extension(kind: Any) -> bool:
    return hasattr(kind, "extension_name")
