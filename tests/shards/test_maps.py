"""Features, labels, joins and comparisons of a table in a folder: what one process makes of its files together."""

import contextlib
import gzip
import json
import random

import pytest

from tests.conftest import from_lines, rows, to_lines
from tkstudies.analysis.histograms.features import FeatureTable
from tkstudies.shards import workers

OWN = ("/Ours/adc", "/Ours/charge", "/Ours/size")
KNOWN = ("NumberOfTracks_GenTk", "TrackPt_ImpactPoint_GenTk")


def histogram(run, reco, plot, scale=1.0, **more):
    hist = {
        "type": "TH1",
        "stats": {"entries": 9 + run % 5, "mean": {"X": {"value": scale * (run % 7)}}, "rms": {"X": {"value": 1.5}}},
        "xaxis": {"first": {"id": 1, "value": 0}, "last": {"id": 4, "value": 4}},
        "bins": {"integral": 60, "content": [10 + run % 3, 20, 20, 10 - run % 3], "error": [3, 4, 4, 3]},
    }
    return {"run_number": run, "reco": reco, "plot": plot, "name": plot.rpartition("/")[2], "hist": hist, **more}


def cut(folder, records, sizes, packed=()):
    """Write records to files of so many each; the last one gets what is left."""
    folder.mkdir()
    for number, size in enumerate([*sizes, None]):
        taken, records = (records, []) if size is None else (records[:size], records[size:])
        path = folder / f"{number}.jsonl{'.gz' if number in packed else ''}"
        content = to_lines(taken).encode()
        path.write_bytes(gzip.compress(content) if number in packed else content)
    return folder


def together(folder):
    """The records of a folder in one text."""
    contents = [(file, file.read_bytes()) for file in sorted(folder.iterdir())]
    return b"".join(gzip.decompress(held) if file.suffix == ".gz" else held for file, held in contents).decode()


def written(folder):
    return "".join(file.read_text() for file in sorted(folder.glob("*.jsonl")))


def said(result):
    return [line for line in result.stderr.splitlines() if "no records" not in line]


@pytest.fixture
def same(tkstudies, tmp_path):
    """Run a command on a folder in several ways: all must say and write what it does with all records in one file."""

    def run(*arguments, folder, jobs=None, ways=("folder", "files")):
        one = tkstudies(*arguments, "-i", "-", input=together(folder))
        if jobs:
            many = tkstudies(*arguments, "-i", folder, "--jobs", jobs)
            assert (many.stdout, said(many), many.exit_code) == (one.stdout, said(one), one.exit_code)
        if "folder" in ways:
            found = tkstudies(*arguments, "-i", folder)
            assert (found.stdout, said(found), found.exit_code) == (one.stdout, said(one), one.exit_code)
        if "files" in ways:
            found = tkstudies(*arguments, "-i", folder, "-o", f"{tmp_path}/{folder.name}-out/")
            assert (written(tmp_path / f"{folder.name}-out"), said(found), found.exit_code) == (
                one.stdout,
                said(one),
                one.exit_code,
            )
        return one

    return run


@pytest.fixture
def here(monkeypatch):
    """Workers of ``--jobs 2`` that are in this process, and work as others do: quick to start."""

    class Here(workers._Here):
        shares_memory = False

    monkeypatch.setattr(workers, "workers", lambda jobs: contextlib.nullcontext(Here()))


def kept(result):
    return next((line for line in result.stderr.splitlines() if "stay as they are" in line), "0").split()[0]


class TestFeatures:
    @pytest.fixture
    def table(self, tmp_path):
        """Each run brings its plots in another order, and the first ones don't have all."""
        records = []
        for run in range(320000, 320008):
            plots = [*OWN, *KNOWN][: 2 + run % 4] if run % 2 else [*KNOWN, *OWN][:: -1 if run % 3 else 1]
            more = {"quality_test": "warning"} if run % 2 else {}
            records += [histogram(run, reco, plot, **more) for reco in ("express", "prompt") for plot in plots]
        self.records = records
        ends = [
            next(place for place, each in enumerate(records) if each["run_number"] == run) for run in (320003, 320006)
        ]
        return cut(tmp_path / "hists", records, [ends[0], 0, ends[1] - ends[0]], packed=[2])

    @pytest.mark.parametrize("options", [[], ["--content", "--stats", "mean,median"]])
    def test_of_files_are_those_of_all(self, same, table, options):
        found = same("features", *options, folder=table, jobs=2 if options else None)
        assert len(from_lines(found.stdout)) == 16

    def test_columns_of_kept_files_follow_those_before_them(self, tkstudies, table, tmp_path):
        def call():
            return tkstudies("features", table, "-o", f"{tmp_path}/out/")

        call()
        first = from_lines((table / "0.jsonl").read_text())
        (table / "0.jsonl").write_text(to_lines(first[::-1]))
        assert kept(call()) == "3"
        assert written(tmp_path / "out") == tkstudies("features", "-", input=together(table)).stdout
        (table / "0.jsonl").write_text(to_lines(first))
        assert kept(call()) == "3"
        assert written(tmp_path / "out") == tkstudies("features", "-", input=together(table)).stdout
        assert kept(call()) == "4"

    def test_a_row_in_two_files_is_made_by_one_process(self, tkstudies, tmp_path, here):
        records = [histogram(run, "express", plot) for run in (320001, 320002) for plot in OWN]
        folder = cut(tmp_path / "hists", records, [4])
        one = tkstudies("features", "-", input=records)
        many = tkstudies("features", folder, "--jobs", 2)
        assert many.stdout == one.stdout
        assert many.exit_code == 0
        assert (
            f"one process works on all files: run 320002 express is in both {folder}/0.jsonl and {folder}/1.jsonl: "
            f"tkstudies shard {folder} -o NAME/ --runs-per-file 50 puts all rows of a run into one file"
        ) in many.stderr

    def test_one_process_knows_the_rows_of_one_file_at_a_time(self, tkstudies, table, monkeypatch):
        known = []
        rows = FeatureTable.rows
        monkeypatch.setattr(FeatureTable, "rows", lambda self: known.append(len(self.keys())) or rows(self))
        found = tkstudies("features", table)
        assert known == [6, 0, 6, 4] and len(from_lines(found.stdout)) == 16

    def test_a_row_in_two_files_needs_all_rows_which_nobody_has_to_know(self, tkstudies, tmp_path):
        records = [histogram(run, "express", plot) for run in (320001, 320002) for plot in OWN]
        folder = cut(tmp_path / "hists", records, [4])
        one, many = tkstudies("features", "-", input=records), tkstudies("features", folder)
        assert (many.stdout, many.stderr, many.exit_code) == (one.stdout, one.stderr, 0)

    def test_a_row_in_two_files_is_refused_where_each_becomes_a_file(self, tkstudies, tmp_path):
        records = [histogram(320001, "express", plot, lumisection_number=1 + n) for n in range(2) for plot in OWN]
        folder = cut(tmp_path / "hists", records, [4])
        found = tkstudies("features", folder, "-o", f"{tmp_path}/out/")
        assert found.exit_code == 1
        assert "run 320001 express lumisection 2 is in both" in found.stderr
        assert "-o NAME/ --runs-per-file 50 puts all rows of a run into one file, or write one file" in found.stderr
        assert "goes on from there" not in found.stderr

    def test_lumisections_of_a_run_may_be_in_several(self, same, tmp_path):
        records = [histogram(320001, "express", OWN[0], lumisection_number=number) for number in range(1, 9)]
        found = same("features", folder=cut(tmp_path / "hists", records, [3, 2]))
        assert len(from_lines(found.stdout)) == 8

    def test_one_name_for_two_kinds_of_plots(self, tkstudies, tmp_path):
        records = [histogram(1, "express", "/a/LSanalysis/x"), histogram(2, "express", "/b/x")]
        folder = cut(tmp_path / "hists", records, [1])
        found = tkstudies("features", folder, "-o", f"{tmp_path}/out/")
        assert "x, the feature of two plots that give different columns, is in both" in found.stderr
        assert "name the statistics with --stats, or the features with --names" in found.stderr

    def test_what_is_lost_is_told_as_of_one(self, same, tmp_path):
        empty = {"run_number": 1, "reco": "express", "plot": "/a/b", "hist": {}}
        records = [empty, *[histogram(2, "express", "/a/b")] * 2, {**empty, "run_number": 3}]
        found = same("features", folder=cut(tmp_path / "hists", records, [1, 2]))
        assert "2 histograms with neither stats nor bins, so without numbers (the first: run 1, /a/b)" in found.stderr
        assert "1 histogram dropped: same run, reco and plot as before" in found.stderr
        assert found.exit_code == 3

    def test_a_changed_file_of_names_makes_all_again(self, tkstudies, table, tmp_path):
        names = tmp_path / "names.jsonl"
        for feature, expected in (("Adc", "0"), ("Adc", "4"), ("Charge", "0")):
            names.write_text(json.dumps({"plot": OWN[0], "feature": feature}))
            found = tkstudies("features", table, "--names", names, "-o", f"{tmp_path}/out/")
            assert kept(found) == expected
            assert f"{feature}.mean" in written(tmp_path / "out")

    def test_a_folder_of_the_older_crawler_is_none_of_files(self, tkstudies, tmp_path):
        (tmp_path / "adc").mkdir()
        (tmp_path / "adc" / "321012_express.json").write_text(json.dumps({"hist": histogram(1, "x", "/y")["hist"]}))
        assert rows(tkstudies("features", tmp_path / "adc", "--jobs", 2))[0]["run_number"] == 321012
        found = tkstudies("features", tmp_path / "adc", "-o", f"{tmp_path}/out/")
        assert found.exit_code == 2
        assert "-o NAME/ writes a file for each file of records, and" in found.stderr

    @pytest.mark.parametrize("seed", range(10))
    def test_random_cuts(self, same, table, tmp_path, seed):
        chance = random.Random(seed)
        of_row = {}
        for record in self.records:
            of_row.setdefault((record["run_number"], record["reco"]), []).append(record)
        groups = list(of_row.values())
        chance.shuffle(groups)
        sizes = []
        for group in groups:
            if sizes and chance.random() < 0.6:
                sizes[-1] += len(group)
            else:
                sizes += [0] * chance.randrange(2) + [len(group)]
        records = [record for group in groups for record in group]
        packed = chance.sample(range(len(sizes) + 1), 1)
        same("features", folder=cut(tmp_path / "cut", records, sizes, packed), ways=["files"])


RUNS = [
    {
        "run_number": run,
        "reco": reco,
        "rda_name": f"/{reco}/{'Commissioning' if run == 320004 and reco == 'prompt' else 'Collisions'}18/DQM",
        "pixel": "GOOD",
        "strip": "BAD" if run % 3 else "GOOD",
        "tracking": "GOOD",
        **({"problem_names": ["Dead channel"] * (run % 2)} if reco == "prompt" else {}),
    }
    for run in range(320000, 320008)
    for reco in ("express", "prompt")
]


class TestLabel:
    """has_dead_channel and is_commissioning hold for all rows of a run."""

    @pytest.mark.parametrize(
        "options",
        [
            ["--exclude-commissioning", "--set", "pixel=BAD", "--exclude-open"],
            ["--only", "is_bad", "--exclude-special"],
            ["--sorted", "--only", "has_dead_channel"],
        ],
    )
    def test_of_files_are_those_of_all(self, same, tmp_path, options):
        folder = cut(tmp_path / "runs", RUNS, [4, 0, 6], packed=[0])
        found = same("label", *options, folder=folder, jobs=2 if "--set" in options else None)
        assert found.exit_code == 0
        assert len(from_lines(found.stdout)) == (14 if "--set" in options else 16)

    @pytest.mark.parametrize("label", ["is_commissioning", "has_dead_channel"])
    def test_of_a_run_in_two_files_are_made_by_one_process(self, tkstudies, tmp_path, here, label):
        folder = cut(tmp_path / "runs", RUNS, [9])  # run 320004, whose prompt row is one of commissioning
        one = tkstudies("label", "--only", label, "-", input=RUNS)
        many = tkstudies("label", "--only", label, folder, "--jobs", 2)
        assert many.stdout == one.stdout
        assert rows(many)[8][label] is (label == "is_commissioning")
        assert f"one process works on all files: run 320004 is in both {folder}/0.jsonl and" in many.stderr

    def test_of_a_run_in_two_files_are_refused_for_files(self, tkstudies, tmp_path):
        folder = cut(tmp_path / "runs", RUNS, [9])
        for _ in range(2):  # the second time one of them is there already
            found = tkstudies("label", folder, "-o", f"{tmp_path}/out/")
            assert found.exit_code == 1
            assert f"run 320004 is in both {folder}/0.jsonl and {folder}/1.jsonl: tkstudies shard" in found.stderr

    def test_of_each_row_don_t_care(self, same, tmp_path, here):
        folder = cut(tmp_path / "runs", RUNS, [9])
        assert len(from_lines(same("label", "--only", "is_bad", folder=folder, jobs=2).stdout)) == 16

    def test_a_run_in_two_files_of_which_both_know_the_same(self, same, tmp_path):
        found = [{**row, "problem_names": []} for row in RUNS if row["run_number"] != 320004]
        same("label", folder=cut(tmp_path / "runs", found, [3, 4]), ways=["files"])

    def test_sorted_rows_that_come_again_in_another_file(self, tkstudies, tmp_path, here):
        again = [*RUNS, RUNS[1]]
        folder = cut(tmp_path / "runs", again, [16])
        one = tkstudies("label", "--sorted", "-", input=again)
        many = tkstudies("label", "--sorted", folder, "--jobs", 2)
        assert many.exit_code == one.exit_code == 1
        assert one.stderr in many.stderr

    @pytest.mark.parametrize("seed", range(6))
    def test_random_cuts(self, same, tmp_path, seed, here):
        chance = random.Random(seed)
        sizes = [2 * chance.randrange(4) for _ in range(4)]
        found = chance.sample(range(8), 8)
        table = [row for run in found for row in RUNS if row["run_number"] == 320000 + run]
        options = ["--exclude-commissioning"] * chance.randrange(2) + ["--sorted"] * chance.randrange(2)
        same("label", *options, folder=cut(tmp_path / "cut", table, sizes, packed=[seed % 5]), jobs=2, ways=["files"])


class TestMerge:
    @pytest.fixture
    def right(self, tmp_path):
        runs = [
            {"run_number": run, "lumi": run / 7, "late": f"right {run}", "pixel": "BAD"}
            for run in range(320000, 320007)
        ]
        fills = [{"fill_number": number, "era": "2018B"} for number in (6700, 6700, 6701)]
        (tmp_path / "oms.jsonl").write_text(to_lines([*runs, runs[0], {"lumi": 1}]))
        (tmp_path / "fills.jsonl").write_text(to_lines(fills))
        return [tmp_path / "oms.jsonl", tmp_path / "fills.jsonl"]

    @staticmethod
    def left(late=()):
        """Rows of runs, of which some have a column more."""
        return [
            {
                "run_number": 320000 + number // 2,
                "fill_number": 6700 + number // 4,
                "pixel": "GOOD",
                **({"late": f"left {number}"} if number in late else {}),
                "filler": "x" * 60_000,  # twenty of them are more than the first megabyte
            }
            for number in range(60)
        ]

    @pytest.mark.parametrize("options", [[], ["--prefix", "oms_", "--how", "inner"], ["--many"]], ids=str)
    def test_of_files_is_that_of_all(self, same, tmp_path, right, options):
        folder = cut(tmp_path / "runs", self.left()[:16], [4, 0, 6], packed=[2])
        found = same("merge", *right, *options, folder=folder, jobs=None if options else 2)
        assert found.exit_code == 0
        assert "oms.jsonl: 1 row without run_number not joined" in found.stderr

    @pytest.mark.parametrize("late", [{1}, {30}, {25, 31, 50}, {58}], ids=str)
    @pytest.mark.parametrize("options", [[], ["--prefix", "r_"]], ids=str)
    def test_a_column_that_comes_late_counts_from_its_row_on(self, same, tmp_path, right, here, late, options):
        folder = cut(tmp_path / "runs", self.left(late), [5, 18, 0, 7, 19])
        found = same("merge", right[0], *options, folder=folder, jobs=2)
        if 1 not in late:
            assert f"late is on both sides, on the left only from row {min(late) + 1} on" in found.stderr

    def test_kept_files_are_made_again_if_a_column_came_late_before_them(self, tkstudies, tmp_path, right):
        folder = cut(tmp_path / "runs", self.left(), [25, 10, 10])

        def call():
            found = tkstudies("merge", right[0], "-i", folder, "-o", f"{tmp_path}/out/")
            one = tkstudies("merge", right[0], "-i", "-", input=together(folder))
            assert written(tmp_path / "out") == one.stdout
            assert [line for line in found.stderr.splitlines() if "stay as" not in line] == one.stderr.splitlines()
            return kept(found)

        assert [call(), call()] == ["0", "4"]
        (folder / "1.jsonl").write_text(to_lines(self.left({28})[25:35]))
        assert [call(), call()] == ["1", "4"]
        (folder / "1.jsonl").write_text(to_lines(self.left()[25:35]))
        assert [call(), call()] == ["1", "4"]

    def test_a_better_key_that_comes_late_is_refused_as_by_one(self, tkstudies, tmp_path, here):
        rows = self.left()
        for number in (37, 55):
            rows[number]["reco"] = "express"
        (tmp_path / "right.jsonl").write_text(to_lines([{"run_number": 320001, "reco": "express", "x": 1}]))
        folder = cut(tmp_path / "runs", rows, [25, 10, 10])
        one = tkstudies("merge", tmp_path / "right.jsonl", "-i", folder)
        for way in (["--jobs", 2], ["-o", f"{tmp_path}/out/"]):
            found = tkstudies("merge", tmp_path / "right.jsonl", "-i", folder, *way)
            assert (found.exit_code, found.stderr.splitlines()[-1]) == (1, one.stderr.splitlines()[-1])
            assert "but from row 38 on the left side has run_number and reco" in found.stderr

    def test_a_changed_table_makes_all_again(self, tkstudies, tmp_path, right):
        folder = cut(tmp_path / "runs", self.left()[:8], [4])
        calls = []
        for lumi in (1, 1, 2):
            right[0].write_text(to_lines([{"run_number": 320000, "lumi": lumi}]))
            found = tkstudies("merge", right[0], "-i", folder, "-o", f"{tmp_path}/out/")
            calls.append((kept(found), from_lines(written(tmp_path / "out"))[0]["lumi"]))
        assert calls == [("0", 1), ("2", 1), ("0", 2)]

    def test_bad_lines_of_a_table_are_told_once(self, same, tmp_path, right, here):
        right[0].write_text("{broken\n" + to_lines([{"run_number": 320000, "lumi": 1}]))
        folder = cut(tmp_path / "runs", self.left()[:8], [4])
        found = same("merge", right[0], "--skip-bad-lines", folder=folder, jobs=2)
        assert found.exit_code == 3
        assert found.stderr.count("1 malformed line skipped in") == 1

    def test_a_table_that_can_be_read_only_once(self, tkstudies, tmp_path):
        folder = cut(tmp_path / "runs", self.left()[:8], [4])
        found = tkstudies("merge", "-", "-i", folder, "--jobs", 2, input=to_lines(self.left()[:1]))
        assert found.exit_code == 2
        assert "standard input can be read only once, and --jobs and -o NAME/ need it again" in found.stderr

    def test_nothing_to_join(self, same, tmp_path, right, here):
        folder = cut(tmp_path / "runs", [{"run_number": run, "fill_number": 2} for run in (1, 2)], [1, 0])
        found = same("merge", *right, folder=folder, jobs=2)
        assert "oms.jsonl: no left row has a run_number that is in it: nothing joined" in found.stderr
        (tmp_path / "cut").mkdir()
        (tmp_path / "cut" / "0.jsonl").touch()
        (tmp_path / "cut" / "1.jsonl").touch()
        assert same("merge", *right, folder=tmp_path / "cut", jobs=2).stdout == ""

    @pytest.mark.parametrize("seed", range(8))
    def test_random_cuts(self, same, tmp_path, right, seed, here):
        chance = random.Random(seed)
        late = chance.sample(range(60), chance.choice([1, 5, 30]))
        sizes = [chance.randrange(25) for _ in range(4)]
        folder = cut(tmp_path / "cut", self.left(late), sizes, packed=[seed % 5])
        options = ["--prefix", "r_"] * chance.randrange(2) + ["--many"] * chance.randrange(2)
        same("merge", *right, *options, folder=folder, jobs=2, ways=["files"])


class TestCompare:
    PLOTS = OWN[:2]

    @pytest.fixture
    def table(self, tmp_path):
        """Run 320000 is the reference that all others name; the last file holds only its prompt histograms again."""
        records = [
            histogram(run, reco, plot, reference_run_number=320000)
            for run in range(320000, 320006)
            for reco in ("express", "prompt")
            for plot in self.PLOTS
        ]
        records[9]["hist"] = "unsupported type"
        return cut(tmp_path / "hists", records, [8, 0, 4], packed=[2])

    @pytest.fixture
    def reference(self, tmp_path):
        file = tmp_path / "reference.jsonl"
        found = [histogram(319999, reco, plot) for reco in ("express", "prompt") for plot in [*self.PLOTS, OWN[0]]]
        file.write_text(to_lines(found))
        return file

    WAYS = ("--reference-run 320004", "--reference-reco prompt", "", "--run 320001-320003", "--tolerance 0.2")

    @pytest.mark.parametrize("options", WAYS)
    def test_references_among_the_histograms(self, same, table, here, options):
        found = same("compare", *options.split(), folder=table, jobs=2)
        assert found.exit_code == 0
        assert len(from_lines(found.stdout)) >= 12

    def test_references_in_a_file(self, same, table, reference):
        found = same("compare", "--reference", reference, folder=table, jobs=2)
        assert "2 histograms dropped as references: same run, reco and plot as before" in found.stderr
        assert "  not compared: 1 no histogram" in found.stderr

    @pytest.fixture
    def changes(self, tkstudies, tmp_path):
        file = tmp_path / "changes.json"
        good = [histogram(run, "express", plot) for run in range(319000, 319040) for plot in self.PLOTS]
        assert tkstudies("compare", "--learn", "-", "-o", file, input=good).exit_code == 0
        return file

    def test_how_unusual_changes_are(self, same, table, changes, here, tkstudies, tmp_path):
        several = ["--reference-run", 320000, "--reference-run", 320005]
        found = same("compare", "--changes", changes, *several, folder=table, jobs=2)
        assert "the most unusual: " in found.stderr
        assert "no z for 2 plots (adc, charge): learned, but not for prompt" in found.stderr

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ("--reference-run 1", "the input: no histogram of run 1 to compare with"),
            (
                "--reference-reco rereco",
                "the input: no histogram of reco rereco to compare with (recos are express, pr",
            ),
            ("--run 5-6,9", "--run 5-6,9: no histogram of such a run"),
            (
                "--reference-run 320000 --reference-run 320001",
                "of several references the median z counts: add --changes",
            ),
        ],
    )
    def test_what_is_no_use_as_a_whole_is_refused_as_by_one(self, tkstudies, table, tmp_path, here, options, message):
        one = tkstudies("compare", *options.split(), "-i", table, "-o", tmp_path / "one.jsonl")
        assert message in one.stderr
        for way in (["--jobs", 2, "-o", tmp_path / "one.jsonl"], ["-o", f"{tmp_path}/out/"]):
            found = tkstudies("compare", *options.split(), "-i", table, *way)
            assert (found.exit_code, found.stderr.splitlines()[-1]) == (one.exit_code, one.stderr.splitlines()[-1])
        assert not (tmp_path / "one.jsonl").exists()

    def test_no_reference_is_named(self, tkstudies, tmp_path, here):
        folder = cut(tmp_path / "hists", [histogram(run, "express", OWN[0]) for run in (1, 2)], [1])
        found = tkstudies("compare", "-i", folder, "--jobs", 2)
        assert found.exit_code == 2
        assert "which run is the reference? Name it with --reference-run" in found.stderr

    def test_a_run_whose_reference_is_in_another_file(self, tkstudies, tmp_path, here):
        records = [histogram(run, reco, OWN[0]) for reco in ("express", "prompt") for run in (1, 2)]
        folder = cut(tmp_path / "hists", records, [2])
        one = tkstudies("compare", "--reference-reco", "prompt", "-", input=records)
        many = tkstudies("compare", "--reference-reco", "prompt", "-i", folder, "--jobs", 2)
        assert many.stdout == one.stdout
        assert "one process works on all files: run 1 is in both" in many.stderr
        found = tkstudies("compare", "--reference-reco", "prompt", "-i", folder, "-o", f"{tmp_path}/out/")
        assert found.exit_code == 1
        assert f"run 1 is in both {folder}/0.jsonl and {folder}/1.jsonl: tkstudies shard {folder} -o" in found.stderr

    def test_what_changes_makes_all_again(self, tkstudies, table, reference, changes, tmp_path):
        def call(*options):
            found = tkstudies("compare", "-i", table, "-o", f"{tmp_path}/out/", *options)
            assert written(tmp_path / "out") == tkstudies("compare", "-", *options, input=together(table)).stdout
            return kept(found)

        assert [call(), call(), call("--tolerance", 0.5)] == ["0", "4", "0"]
        first = from_lines((table / "0.jsonl").read_text())
        assert call() == "0"
        (table / "0.jsonl").write_text(to_lines([*first[:-1], histogram(320009, "express", OWN[0])]))
        assert call() == "3"
        (table / "0.jsonl").write_text(to_lines([histogram(320000, "express", OWN[0], 3.0), *first[1:]]))
        assert call() == "0"
        named = ["--reference", reference, "--changes", changes]
        assert [call(*named), call(*named)] == ["0", "4"]
        reference.write_text(to_lines([histogram(319999, "express", OWN[0])]))
        assert call(*named) == "0"
        changes.write_text(changes.read_text() + " ")
        assert call(*named) == "0"

    def test_learning_is_for_one_process(self, tkstudies, table):
        found = tkstudies("compare", "--learn", "-i", table, "--jobs", 2)
        assert found.exit_code == 2
        assert "--jobs means nothing to --learn" in found.stderr

    @pytest.mark.parametrize("seed", range(6))
    def test_random_cuts(self, same, table, tmp_path, seed, here):
        chance = random.Random(seed)
        groups = {}
        for record in from_lines(together(table)):
            groups.setdefault(record["run_number"], []).append(record)
        runs = chance.sample(sorted(groups), len(groups))
        folder = cut(
            tmp_path / "cut", [each for run in runs for each in groups[run]], [4 * chance.randrange(3) for _ in runs]
        )
        same("compare", *self.WAYS[seed % 3].split(), folder=folder, jobs=2, ways=["files"])


def test_standard_input_is_for_one_process(tkstudies):
    found = tkstudies("features", "-", "--jobs", 2, input=[histogram(1, "express", OWN[0])])
    assert rows(found)[0]["run_number"] == 1
    assert "standard input can't be shared: one process works on it" in found.stderr
