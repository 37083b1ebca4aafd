"""``tkstudies shard``: the rows of a run in one file, the files together the table, and no work twice."""

import gzip
import json
import random

import pytest

from tests.conftest import from_lines, to_lines
from tkstudies.shards import cut

ROWS = [
    {"run_number": run, "reco": reco, "x": run % 7 + 0.25}
    for run in range(317291, 317291 + 120)
    for reco in ("express", "prompt")
]
MIXED = random.Random(1).sample(ROWS, len(ROWS))
NAMES = ["317291-317340.jsonl", "317341-317390.jsonl", "317391-317410.jsonl"]


@pytest.fixture
def shard(tkstudies, tmp_path, monkeypatch):
    """Cut rows (or a text) by the options given."""
    monkeypatch.chdir(tmp_path)

    def shard(given, *options):
        (tmp_path / "in.jsonl").write_text(given if isinstance(given, str) else to_lines(given))
        return tkstudies("shard", "in.jsonl", "-o", "out/", *options)

    return shard


def files(tmp_path, folder="out"):
    return {file.name: file.read_text() for file in sorted((tmp_path / folder).glob("*.jsonl"))}


class TestTheFiles:
    @pytest.mark.parametrize("rows", [ROWS, MIXED])
    def test_hold_whole_runs_in_the_order_of_the_input(self, shard, tmp_path, rows):
        found = shard(rows)
        assert found.stderr == "out/: 3 files, 120 runs, 240 rows\n"
        made = files(tmp_path)
        assert list(made) == NAMES
        for name, text in made.items():
            first, last = (int(run) for run in name.removesuffix(".jsonl").split("-"))
            assert from_lines(text) == [row for row in rows if first <= row["run_number"] <= last]

    def test_are_one_table_for_other_commands(self, shard, tkstudies, tmp_path):
        shard(MIXED)
        assert tkstudies("filter", "x > 3", "out/").stdout == "".join(
            tkstudies("filter", "x > 3", "-i", file).stdout for file in sorted((tmp_path / "out").glob("*.jsonl"))
        )
        assert sorted(from_lines(tkstudies("filter", "x > 0", "out/").stdout), key=str) == sorted(ROWS, key=str)

    def test_keep_lines_as_filter_does(self, shard, tkstudies, tmp_path):
        text = '{"run_number":7 , "é":1e5,"a": 12345678901234567890123}\r\n\n{"run_number":"7","x":NaN}'
        shard(text)
        assert files(tmp_path) == {"000007.jsonl": tkstudies("filter", "run_number exists", "in.jsonl").stdout}

    def test_of_few_runs(self, shard, tmp_path):
        assert shard(ROWS, "--runs-per-file", 119).exit_code == 0
        assert list(files(tmp_path)) == ["317291-317409.jsonl", "317410.jsonl"]

    def test_of_a_size(self, shard, tmp_path):
        assert shard(MIXED, "--size", "5kB").exit_code == 0
        sizes = [len(text) for text in files(tmp_path).values()]
        assert max(sizes) <= 5000 and min(sizes[:-1]) > 4800

    def test_of_numbers_of_other_lengths_sort_as_numbers(self, shard, tmp_path):
        shard([{"run_number": run} for run in (10**6, 5, 317291)], "--runs-per-file", 1)
        assert list(files(tmp_path)) == ["0000005.jsonl", "0317291.jsonl", "1000000.jsonl"]

    def test_of_fills(self, shard, tmp_path):
        found = shard([{"fill_number": fill, "era": "2018B"} for fill in (6757, 6761, 6800)], "--runs-per-file", 2)
        assert found.stderr == "out/: 2 files, 3 fills, 3 rows\n"
        assert list(files(tmp_path)) == ["006757-006761.jsonl", "006800.jsonl"]

    def test_of_several_inputs_packed_ones_and_standard_input(self, tkstudies, tmp_path):
        (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(to_lines(MIXED[:100]).encode()))
        (tmp_path / "b.json").write_text(json.dumps(MIXED[100:200]))
        sources = ("-i", tmp_path / "a.jsonl.gz", "-i", tmp_path / "b.json", "-i", "-")
        assert tkstudies("shard", *sources, "-o", f"{tmp_path}/many/", input=MIXED[200:]).exit_code == 0
        assert tkstudies("shard", "-o", f"{tmp_path}/one", input=MIXED).exit_code == 0
        assert [from_lines(text) for text in files(tmp_path, "many").values()] == [
            from_lines(text) for text in files(tmp_path, "one").values()
        ]

    def test_of_more_rows_than_are_held_in_memory(self, shard, tmp_path, monkeypatch):
        shard(MIXED)
        made = files(tmp_path)
        monkeypatch.setattr(cut, "_HELD", 300)
        for file in (tmp_path / "out").glob("*3173*.jsonl"):
            file.write_text("{}\n")
        shard(MIXED)
        assert files(tmp_path) == made
        assert not list((tmp_path / "out").glob(".*.tmp"))


class TestASecondCall:
    def call(self, shard, tmp_path, rows, *options):
        """What it says, and which files it has written."""
        before = {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in files(tmp_path)}
        found = shard(rows, *options)
        assert found.exit_code == 0
        after = {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in files(tmp_path)}
        return found.stderr, [name for name in after if after[name] != before.get(name)]

    def test_of_the_same_does_nothing(self, shard, tmp_path):
        shard(MIXED)
        told, written = self.call(shard, tmp_path, MIXED)
        assert told == "out/: 3 files, 120 runs, 240 rows; 3 of 3 files stay as they are\n"
        assert written == []

    def test_writes_what_is_missing_damaged_or_changed(self, shard, tmp_path):
        shard(ROWS)
        made = files(tmp_path)
        (tmp_path / "out" / NAMES[0]).unlink()
        (tmp_path / "out" / NAMES[1]).write_text(made[NAMES[1]] + "{}\n")
        assert self.call(shard, tmp_path, ROWS)[1] == NAMES[:2]
        assert files(tmp_path) == made
        changed = [{**row, "x": 9.5} if row["run_number"] == 317350 else row for row in ROWS]
        told, written = self.call(shard, tmp_path, changed)
        assert written == NAMES[1:2] and "2 of 3 files stay" in told

    def test_with_later_runs_changes_the_last_file(self, shard, tmp_path):
        shard(ROWS)
        told, written = self.call(shard, tmp_path, [*ROWS, {"run_number": 317999}])
        assert written == ["317391-317999.jsonl"]
        assert "317391-317410.jsonl removed, as the table is cut at other places now" in told

    def test_with_other_numbers_cuts_anew(self, shard, tmp_path):
        shard(ROWS)
        told, written = self.call(shard, tmp_path, ROWS, "--runs-per-file", 100)
        assert "made by another command line" in told
        assert list(files(tmp_path)) == written == ["317291-317390.jsonl", "317391-317410.jsonl"]

    def test_after_one_that_was_stopped(self, shard, tmp_path, monkeypatch):
        finish = cut._File.finish

        def stop(self):
            if "317341" in self._path:
                raise KeyboardInterrupt
            return finish(self)

        with monkeypatch.context() as patched:
            patched.setattr(cut._File, "finish", stop)
            found = shard(ROWS)
        assert found.exit_code == 130
        assert "1 of 3 files are whole in out/: the same command goes on from there" in found.stderr
        assert [file.name for file in (tmp_path / "out").iterdir() if "jsonl" in file.name] == NAMES[:1]
        assert self.call(shard, tmp_path, ROWS)[1] == NAMES[1:]


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        "rows, told",
        [
            ([*ROWS[:2], {"reco": "express"}], "in.jsonl, line 3: a row without run_number: tkstudies filter"),
            (
                [{"run_number": None}],
                "in.jsonl, line 1: a row without run_number: tkstudies filter 'run_number exists'",
            ),
            ([{"run_number": "many"}], "in.jsonl, line 1: run_number is no whole number: 'many'"),
            ([{"fill_number": 1}, {"run_number": 1}], "in.jsonl, line 2: a row without fill_number"),
            ([{"era": "2018B"}], "in.jsonl, line 1: a row without run_number"),
            ("{broken\n", "in.jsonl, line 1: not a JSON object"),
        ],
    )
    def test_rows_without_a_run(self, shard, tmp_path, rows, told):
        found = shard(rows)
        assert found.exit_code == 1
        assert told in found.stderr
        assert not (tmp_path / "out").exists()

    def test_bad_lines_can_be_left_out(self, shard, tmp_path):
        found = shard("{broken\n" + to_lines(ROWS), "--skip-bad-lines")
        assert found.exit_code == 3
        assert "1 malformed line skipped in in.jsonl" in found.stderr
        assert "".join(files(tmp_path).values()) == to_lines(ROWS)

    @pytest.mark.parametrize("output", ["in.jsonl", "other.jsonl", "-"])
    def test_what_is_no_folder(self, shard, tkstudies, output):
        shard(ROWS)
        found = tkstudies("shard", "in.jsonl", "-o", output)
        assert found.exit_code == 2
        assert "name it with -o NAME/" in found.stderr

    def test_a_folder_of_others_and_its_own_input(self, shard, tkstudies, tmp_path):
        shard(ROWS)
        assert "is in the folder that is written" in tkstudies("shard", "out", "-o", "out/").stderr
        (tmp_path / "theirs").mkdir()
        (tmp_path / "theirs" / "a.jsonl").write_text("{}\n")
        found = tkstudies("shard", "in.jsonl", "-o", "theirs/")
        assert found.exit_code == 2
        assert "theirs/: holds a.jsonl, which no command wrote as a file of this table" in found.stderr

    @pytest.mark.parametrize("size", ["many", "0", "-5MB", "1e400"])
    def test_sizes_that_are_none(self, shard, size):
        found = shard(ROWS, f"--size={size}")
        assert found.exit_code == 2
        assert "expected a size such as 100MB or 1.5GB" in found.stderr

    def test_two_ways_to_cut(self, shard):
        assert "exclude each other" in shard(ROWS, "--size", "1MB", "--runs-per-file", 5).stderr

    def test_an_input_that_changes_meanwhile(self, shard, monkeypatch):
        monkeypatch.setattr(cut.Table, "again", lambda table: iter([(317291, b"{}")]))
        found = shard(ROWS)
        assert found.exit_code == 1
        assert "in.jsonl changed while it was read: try again" in found.stderr

    def test_an_empty_table_is_an_empty_folder(self, shard, tkstudies):
        assert shard("").exit_code == 0
        found = tkstudies("filter", "a = 1", "out/")
        assert (found.exit_code, found.stdout) == (0, "")
        assert "no records in out/" in found.stderr
