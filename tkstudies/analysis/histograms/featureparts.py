"""Features of an input that comes in parts: the rows are those of all its histograms together.

A row must be in one part. The order of columns is that in which the whole input brought the plots up, so that the
rows of a part may have to be put into another order than the part alone gives them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from operator import itemgetter
from typing import Any

import msgspec

from tkstudies.analysis.histograms.collections import feature_order
from tkstudies.analysis.histograms.features import QUALITY, FeatureTable
from tkstudies.analysis.histograms.places import Places, ranges
from tkstudies.console import Losses
from tkstudies.histogramrecord import HistogramRecord
from tkstudies.jsonl import Records, encode
from tkstudies.shardwise import InTwoParts, Mend, Shardwise


class Features(Shardwise):
    """The rows of a `FeatureTable`, whose arguments it takes."""

    waits = True

    def __init__(
        self,
        names: Collection[str] | None = None,
        content: bool = False,
        feature_names: Mapping[str, str] | None = None,
    ):
        self._given = names, content, feature_names
        self._table = FeatureTable(*self._given)
        self.add = self._table.add
        self._places = Places()
        self._parts_of: dict[str, int] = {}  # feature -> the first part that has it
        self._parts = 0

    def lines(self, records: Records) -> Iterator[bytes]:
        """The rows, after the last record."""
        add = self.add
        with records.located():
            for _, histogram in records.rows(HistogramRecord):
                add(histogram)
        yield from map(encode, self._table.rows())

    def recipe(self) -> Any:
        return self._given

    def fresh(self) -> Features:
        return Features(*self._given)

    def losses(self) -> Losses:
        return self._table.losses()

    @property
    def is_partial(self) -> bool:
        return self.losses().partial

    def noted(self) -> Any:
        return self.remember(), self._table.noted()

    def absorb(self, noted: Any) -> Mend | None:
        remembered, dropped = noted
        mend = self.recall(remembered)
        self._table.absorb(dropped)
        return mend

    def remember(self) -> Any:
        return {"rows": ranges(self._table.keys()), "plots": list(self._table.brought_by.values())}

    def recall(self, remembered: Any) -> Mend | None:
        self._places.add(remembered["rows"])
        features = []
        for plot in remembered["plots"]:
            feature, is_as_before = self._table.know(plot)
            if not is_as_before:
                raise InTwoParts(
                    f"{feature}, the feature of two plots that give different columns,",
                    self._parts_of[feature],
                    "name the statistics with --stats, or the features with --names",
                )
            self._parts_of.setdefault(feature, self._parts)
            features.append(feature)
        self._parts += 1
        own = [feature for feature in features if feature not in feature_order()]
        order = sorted(own, key=self._table.order.__getitem__)
        if order == remembered.get("order", own):
            return None
        return Mend(self._sorted_line(features), {**remembered, "order": order})

    def _sorted_line(self, features: list[str]) -> Any:
        """What puts the columns of a row into the order of the whole input."""
        place_of = {
            column: self._table.order[feature] for feature in features for column in self._table.columns(feature)
        }

        place_of.update(dict.fromkeys(QUALITY, len(self._table.order)))

        def mended(line: bytes) -> bytes:
            members: list[tuple[int, str, msgspec.Raw]] = []
            place = -1  # keys stand in front, contents behind the statistics of their feature
            for column, value in _undecoded(line).items():
                place = place_of.get(column, place)
                members.append((place, column, value))
            members.sort(key=itemgetter(0))
            return encode({column: value for _, column, value in members})

        return mended


_undecoded = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
