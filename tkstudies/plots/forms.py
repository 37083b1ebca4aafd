"""What kind of records a file holds, so that a figure they can't make is answered with those they can."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import Enum
from itertools import islice

from tkstudies.errors import InputError
from tkstudies.plots.texts import columns_of, maker_of
from tkstudies.records import Record

_COMPONENT = re.compile(r"pc[1-9][0-9]*")
_LOOKED_AT = 1000  # records


class Form(Enum):
    """Kinds of records, each with its name in a message."""

    TABLE = "rows of a table"
    HISTOGRAMS = "histogram records"
    LOADINGS = "loadings of principal components"
    MODEL = "a model of principal components"


_ADVICE = {
    Form.TABLE: {
        Form.HISTOGRAMS: "tkstudies dqm fetches histogram records",
        Form.LOADINGS: "tkstudies pca --loadings FILE makes loadings",
        Form.MODEL: "tkstudies pca --model FILE makes a model",
    },
    Form.HISTOGRAMS: {Form.TABLE: "tkstudies features makes a table of them"},
}
"""Form of the records -> the form that they should have -> what to do."""


def form_of(records: Iterable[Record]) -> Form:
    """What most of the records are.

    >>> form_of([{"run_number": 1, "hist": {}}]), form_of([{"feature": "Hits.mean", "pc1": 0.5}]), form_of([])
    (<Form.HISTOGRAMS: 'histogram records'>, <Form.LOADINGS: 'loadings of principal components'>, <Form.TABLE: 'rows of a table'>)
    """  # noqa: E501
    forms = Counter(map(_form, islice(records, _LOOKED_AT)))
    return max(forms, key=lambda form: forms[form], default=Form.TABLE)


def _form(record: Record) -> Form:
    if isinstance(record.get("hist"), dict) or ("hist" in record and "plot" in record):
        return Form.HISTOGRAMS
    if isinstance(record.get("feature"), str) and any(map(_COMPONENT.fullmatch, record)):
        return Form.LOADINGS
    if isinstance(record.get("features"), list) and "components" in record:
        return Form.MODEL
    return Form.TABLE


def wrong_form(found: Form, wanted: Form, kind: str, others: Sequence[str], source: str) -> InputError:
    """What to say of records that a kind of figure can't be made of."""
    named = f"{', '.join(others[:-1])} or {others[-1]}" if len(others) > 1 else "".join(others)
    can = f"they can be drawn as {named}" if others else "no kind of figure shows them"
    told = _ADVICE.get(found, {}).get(wanted)
    advice = f"; {told}" if told else ""
    return InputError(f"{source}: these are {found.value}, and plot {kind} needs {wanted.value}: {can}{advice}")


def require_columns(records: Sequence[Record], kind: str, *columns: str) -> None:
    """See to it that some record has a value in each of the columns that a kind of figure needs.

    Raises:
        InputError: No record has one; the message says which command makes it.
    """
    for column in columns:
        if any(record.get(column) is not None for record in records):
            continue
        there = column in columns_of(records)
        what = "a value in" if there else "a column"
        maker = "" if there else maker_of(column)
        raise InputError(f"plot {kind}: no record has {what} {column}{f' ({maker})' if maker else ''}")
