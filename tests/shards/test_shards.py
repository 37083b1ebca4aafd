"""A table in a folder: what counts as one, and that many files and many processes make what one process makes."""

import gzip
import json
import os

import pytest

from tests.conftest import from_lines
from tkstudies.shards import parts

ROWS = [
    {"run_number": run, "reco": reco, "tracking": "BAD" if run % 7 == 0 else "GOOD", "Hits.mean": run % 11 + 0.1}
    for run in range(320000, 320060)
    for reco in ("express", "prompt")
]


def write(path, rows):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if path.name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)


@pytest.fixture
def table(tmp_path):
    """A folder of five files, and the file that holds them all."""
    folder = tmp_path / "table"
    folder.mkdir()
    for number in range(5):
        name = f"{number}.jsonl" + ".gz" * (number == 3)
        write(folder / name, ROWS[24 * number : 24 * number + 24])
    (folder / "README.txt").write_text("not a table\n")
    write(tmp_path / "whole.jsonl", ROWS)
    return folder


STAGES = {
    "filter": ["filter", "Hits.mean > 4", "tracking = BAD or reco = express"],
    "nothing": ["filter", "Hits.mean > 99"],
    "select": ["select", "run_number", "Hits.*", "nothing.like.this"],
}


class TestAFolderIsItsFiles:
    def test_in_the_order_of_their_names(self, tkstudies, table):
        found = tkstudies("filter", "Hits.mean > 0", table)
        assert from_lines(found.stdout) == ROWS
        assert found.exit_code == 0

    def test_without_records_of_ours(self, tkstudies, tmp_path):
        (tmp_path / "empty").mkdir()
        found = tkstudies("filter", "a = 1", "-i", tmp_path / "empty")
        assert found.exit_code == 1
        assert "empty: is a folder without files that end in .jsonl or .jsonl.gz" in found.stderr

    def test_different_tables_are_refused(self, tkstudies, table):
        write(table / "fills.jsonl", [{"fill_number": 6757, "era": "2018B"}])
        found = tkstudies("filter", "a = 1", "-i", table)
        assert found.exit_code == 1
        assert "different tables, 0.jsonl and fills.jsonl (only one has run_number): name one" in found.stderr

    def test_a_copy_with_other_columns_is_refused(self, tkstudies, table):
        write(table / "labelled.jsonl", [{**row, "is_bad": False} for row in ROWS])
        found = tkstudies("filter", "a = 1", "-i", table)
        assert found.exit_code == 1
        assert "0.jsonl and labelled.jsonl begin with the same row (320000 express): name one" in found.stderr

    def test_the_same_file_packed_and_plain(self, tkstudies, table):
        write(table / "3.jsonl", ROWS[72:96])
        assert "holds both 3.jsonl and 3.jsonl.gz" in tkstudies("filter", "a = 1", "-i", table).stderr


class TestManyProcessesMakeWhatOneMakes:
    @pytest.mark.parametrize("stage", STAGES)
    def test_byte_for_byte_with_the_same_words(self, tkstudies, table, stage):
        one = tkstudies(*STAGES[stage], "-i", table.parent / "whole.jsonl")
        many = tkstudies(*STAGES[stage], "-i", table, "--jobs", 2)
        assert (many.stdout, many.stderr, many.exit_code) == (one.stdout, one.stderr, one.exit_code)

    def test_files_for_files(self, tkstudies, table, tmp_path):
        whole = tkstudies(*STAGES["filter"], "-i", table)
        tkstudies(*STAGES["filter"], "-i", table, "-o", f"{tmp_path}/chosen/")
        files = sorted((tmp_path / "chosen").glob("*.jsonl"))
        assert [file.name for file in files] == [f"{number}.jsonl" for number in range(5)]
        assert "".join(file.read_text() for file in files) == whole.stdout
        assert tkstudies("filter", "Hits.mean > 0", tmp_path / "chosen").stdout == whole.stdout

    def test_a_bad_line_is_told_with_its_place(self, tkstudies, table):
        with open(table / "2.jsonl", "a") as file:
            file.write("{broken\n")
        found = tkstudies("filter", "Hits.mean > 4", table, "--jobs", 2)
        assert found.exit_code == 1
        assert f"{table}/2.jsonl, line 25: not a JSON object: {{broken" in found.stderr

    @pytest.mark.parametrize("jobs", ["0", "many", "-1", "1.5", "300", "ddask"])
    def test_jobs_that_mean_nothing(self, tkstudies, table, jobs):
        found = tkstudies("filter", "a = 1", table, f"--jobs={jobs}")
        assert found.exit_code == 2
        assert "expected a number of processes (1 to 256), dask, or dask:ADDRESS" in found.stderr

    def test_one_file_is_for_one_process(self, tkstudies, table):
        found = tkstudies("filter", "Hits.mean > 0", "-i", table.parent / "whole.jsonl", "--jobs", 2)
        assert from_lines(found.stdout) == ROWS
        assert "is one file, on which one process works: tkstudies shard cuts it" in found.stderr


class TestASecondCall:
    """What is there and current stays; all else is made."""

    @pytest.fixture
    def call(self, tkstudies, table, tmp_path):
        def call(*expressions):
            return tkstudies("filter", *(expressions or ["Hits.mean > 4"]), "-i", table, "-o", f"{tmp_path}/out/")

        call()
        return call

    def kept(self, found):
        return next((line for line in found.stderr.splitlines() if "stay as they are" in line), "0").split()[0]

    def test_does_nothing_twice(self, call, tmp_path):
        before = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "out").glob("*.jsonl")}
        assert self.kept(call()) == "5"
        assert {file.name: file.stat().st_mtime_ns for file in (tmp_path / "out").glob("*.jsonl")} == before

    def test_makes_what_has_changed(self, call, table, tmp_path):
        write(table / "2.jsonl", [{**row, "Hits.mean": 99.5} for row in ROWS[48:72]])
        assert self.kept(call()) == "4"
        assert (tmp_path / "out" / "2.jsonl").read_text().count("99.5") == 24

    def test_makes_what_is_missing_or_cut(self, call, tmp_path):
        whole = (tmp_path / "out" / "1.jsonl").read_bytes()
        (tmp_path / "out" / "1.jsonl").write_bytes(whole[:40])
        (tmp_path / "out" / "0.jsonl").unlink()
        assert self.kept(call()) == "3"
        assert (tmp_path / "out" / "1.jsonl").read_bytes() == whole

    def test_with_other_words_makes_all(self, call):
        found = call("Hits.mean > 5")
        assert self.kept(found) == "0"
        assert "was made by another command line or version, or from other input: all of it is" in found.stderr

    def test_removes_what_has_no_input_any_more(self, call, table, tmp_path):
        (table / "4.jsonl").unlink()
        found = call()
        assert "4.jsonl removed, as no input is behind it any more" in found.stderr
        assert not (tmp_path / "out" / "4.jsonl").exists()

    def test_of_a_stopped_one_is_known_as_unfinished(self, tkstudies, call, table, tmp_path):
        with open(table / "2.jsonl", "a") as file:
            file.write("{broken\n")
        found = call()
        assert found.exit_code == 1
        assert "2 of 5 files are whole in" in found.stderr
        found = tkstudies("filter", "Hits.mean > 0", tmp_path / "out")
        assert found.exit_code == 3
        assert "not all of its files are made yet (5 of 5): go on with the command that writes it" in found.stderr

    def test_of_one_stopped_before_its_first_file_has_no_records(self, tkstudies, table, tmp_path):
        with open(table / "0.jsonl", "a") as file:
            file.write("{broken\n")
        tkstudies("filter", "Hits.mean > 0", table, "-o", f"{tmp_path}/new/")
        for command in (["count", "reco"], ["columns"], ["pca"], ["suspects"], ["count", "reco", "--jobs", "2"]):
            found = tkstudies(*command, tmp_path / "new")
            assert found.exit_code in (1, 3), command
            assert "(0 of 5)" in found.stderr and "internal error" not in found.stderr, command

    def test_what_a_stopped_one_had_not_noted_is_no_stranger_later(self, tkstudies, table, tmp_path):
        call = ("filter", "Hits.mean > 0", table, "-o", f"{tmp_path}/new/")
        with open(table / "2.jsonl", "a") as file:
            file.write("{broken\n")
        assert tkstudies(*call).exit_code == 1
        write(tmp_path / "new" / "4.jsonl", ROWS[:1])  # of a worker that was ahead
        write(table / "2.jsonl", ROWS[48:72])
        (table / "4.jsonl").unlink()
        assert tkstudies(*call).exit_code == 0
        found = tkstudies("filter", "Hits.mean > 0", tmp_path / "new")
        assert (found.exit_code, from_lines(found.stdout)) == (0, ROWS[:96])

    def test_files_of_one_command_are_one_table_however_sparse(self, tkstudies, tmp_path):
        sparse = [{"run_number": 1, "reco": "e", "a": 1, "b": 2}, {"run_number": 2, "reco": "e", "c": 1}]
        write(tmp_path / "sparse.jsonl", sparse)
        tkstudies("shard", tmp_path / "sparse.jsonl", "--runs-per-file", "1", "-o", f"{tmp_path}/cut/")
        found = tkstudies("filter", "run_number > 0", tmp_path / "cut")
        assert (found.exit_code, from_lines(found.stdout)) == (0, sparse)

    def test_an_input_that_is_replaced_while_it_is_read_is_read_again(self, tkstudies, table, tmp_path, monkeypatch):
        def read_and_replace(lines, file):
            written = parts_write_at_once(lines, file)
            write(table / "new", ROWS[:1])
            (table / "new").replace(table / "0.jsonl")
            return written

        parts_write_at_once = parts.write_at_once
        monkeypatch.setattr(parts, "write_at_once", read_and_replace)
        tkstudies("filter", "run_number > 0", table / "0.jsonl", "-o", f"{tmp_path}/new/")
        monkeypatch.undo()
        found = tkstudies("filter", "run_number > 0", table / "0.jsonl", "-o", f"{tmp_path}/new/")
        assert "stay as they are" not in found.stderr
        assert from_lines((tmp_path / "new" / "0.jsonl").read_text()) == ROWS[:1]

    def test_a_name_that_is_no_text_is_refused_or_told_readably(self, tkstudies, tmp_path):
        odd = os.fsdecode(b"odd\xff.jsonl")
        write(tmp_path / odd, ROWS[:3])
        found = tkstudies("filter", "run_number > 0", tmp_path / odd, "-o", f"{tmp_path}/new/")
        assert (found.exit_code, "odd\\xff.jsonl: its name isn't UTF-8: rename it" in found.stderr) == (1, True)
        assert tkstudies("shard", tmp_path / odd, "-o", f"{tmp_path}/cut/").exit_code == 0
        assert "odd\\\\xff.jsonl" in (tmp_path / "cut" / "manifest.json").read_text()

    def test_a_damaged_manifest_says_what_to_do(self, tkstudies, call, tmp_path):
        manifest = tmp_path / "out" / "manifest.json"
        manifest.write_text(manifest.read_text()[:200])
        assert "remove the folder and make it again" in call().stderr
        assert "remove the folder and make it again" in tkstudies("count", tmp_path / "out").stderr

    def test_a_strange_file_is_not_part_of_it(self, tkstudies, call, tmp_path):
        write(tmp_path / "out" / "9.jsonl", ROWS[:1])
        found = tkstudies("filter", "Hits.mean > 0", tmp_path / "out")
        assert found.exit_code == 1
        assert "9.jsonl isn't in its manifest.json" in found.stderr

    def test_a_manifest_names_no_file_elsewhere(self, call, tmp_path):
        manifest, victim = tmp_path / "out" / "manifest.json", tmp_path / "victim.jsonl"
        victim.write_text("{}\n")
        manifest.write_text(manifest.read_text().replace('"4.jsonl"', '"../victim.jsonl"'))
        found = call("Hits.mean > 5")
        assert (found.exit_code, "isn't a manifest of tkstudies" in found.stderr) == (1, True)
        assert victim.exists()

    def test_does_not_write_over_records_of_somebody_else(self, tkstudies, table):
        found = tkstudies("filter", "Hits.mean > 4", table.parent / "whole.jsonl", "-o", f"{table}/")
        assert found.exit_code == 2
        assert "holds 0.jsonl, which no command wrote as a file of this table: name a new folder" in found.stderr


@pytest.mark.parametrize(
    "command", [["sort", "--by", "run_number"], ["label", "--jobs", "2", "-"], ["suspects"], ["show"]]
)
def test_a_folder_as_output_is_made_or_refused(command, tkstudies, table, tmp_path):
    found = tkstudies(*command, "-i", table, "-o", f"{tmp_path}/new/")
    assert found.exit_code in (1, 2)
    assert "name a file" in found.stderr
    assert not (tmp_path / "new").is_file()


WAYS = {
    "filter": ["filter", "Hits.mean > 4", "{folder}"],
    "a file of it": ["select", "Hits.mean", "{file}"],
    "a link": ["filter", "Hits.mean > 4", "{link}"],
    "the right side": ["merge", "{folder}", "-i", "{whole}"],
    "label": ["label", "{folder}"],
    "pca": ["pca", "--apply", "{file}", "{whole}"],
    "features": ["features", "{folder}"],
}


class TestWhatIsReadStays:
    """A folder is never both: what is written there begins with the removal of what isn't wanted any more."""

    @pytest.fixture
    def shards(self, tkstudies, table, tmp_path):
        """The table, cut anew: a folder of our own."""
        tkstudies("shard", table, "--runs-per-file", "12", "-o", f"{tmp_path}/shards/")
        return tmp_path / "shards"

    @pytest.mark.parametrize("way", WAYS)
    def test_when_it_is_the_output_too(self, tkstudies, shards, tmp_path, way):
        (tmp_path / "link.jsonl").symlink_to(min(shards.glob("*.jsonl")))
        places = {"folder": shards, "file": min(shards.glob("*.jsonl")), "link": tmp_path / "link.jsonl"}
        words = [word.format(**places, whole=tmp_path / "whole.jsonl") for word in WAYS[way]]
        before = {file: file.read_bytes() for file in shards.iterdir()}
        found = tkstudies(*words, "-o", f"{shards}/")
        assert found.exit_code in (1, 2) and found.stdout == ""
        if way not in ("pca", "the right side"):
            assert "is in the folder that is written: name another one with -o" in found.stderr
        assert {file: file.read_bytes() for file in shards.iterdir()} == before

    def test_when_the_right_side_was_written_by_the_same_command(self, tkstudies, table, tmp_path):
        whole, lumi = tmp_path / "whole.jsonl", tmp_path / "lumi.jsonl"
        write(lumi, [{"run_number": 320000, "recorded_lumi": 1.5}])
        assert tkstudies("merge", lumi, "-i", whole, "-o", f"{tmp_path}/merged/").exit_code == 0
        before = (tmp_path / "merged/whole.jsonl").read_bytes()
        found = tkstudies("merge", tmp_path / "merged", "-i", table, "-o", f"{tmp_path}/merged/")
        assert "is in the folder that is written" in found.stderr
        assert (tmp_path / "merged/whole.jsonl").read_bytes() == before

    def test_when_another_command_has_made_the_output(self, tkstudies, shards, table):
        before = {file: file.read_bytes() for file in shards.iterdir()}
        found = tkstudies("filter", "Hits.mean > 4", table, "-o", f"{shards}/")
        assert found.exit_code == 2
        assert f"{shards}/: its files were written by tkstudies shard: name another folder" in found.stderr
        assert {file: file.read_bytes() for file in shards.iterdir()} == before

    @pytest.mark.parametrize(
        "command", [["filter", "Hits.mean > 4"], ["select", "Hits.mean"], ["sort", "--by", "reco"]]
    )
    @pytest.mark.parametrize("name", ["0.jsonl", "new.jsonl"])
    def test_when_the_output_is_a_file_of_it(self, tkstudies, table, command, name):
        before = {file: file.read_bytes() for file in table.iterdir()}
        found = tkstudies(*command, "-i", table, "-o", table / name)
        assert found.exit_code == 2 and f"{name}: is in the folder that is read ({table})" in found.stderr
        assert {file: file.read_bytes() for file in table.iterdir()} == before


def change(file):
    with open(file, "a") as stream:
        stream.write('{"run_number":1,"by":"hand"}\n')


class TestAFileThatSomebodyHasChanged:
    @pytest.fixture
    def made(self, tkstudies, table, tmp_path):
        def made(*expressions):
            return tkstudies("select", *expressions, "-i", table, "-o", f"{tmp_path}/out/")

        made("run_number", "reco")
        change(tmp_path / "out/1.jsonl")
        return made

    def test_is_told_when_the_folder_is_read(self, tkstudies, made, tmp_path):
        found = tkstudies("count", "-i", tmp_path / "out")
        assert found.exit_code == 0 and "121" in found.stdout
        assert "warning: " in found.stderr and "1.jsonl isn't as it was written" in found.stderr

    @pytest.mark.parametrize("columns", [["run_number", "reco"], ["reco"]])
    def test_is_kept_when_it_is_made_again(self, made, tmp_path, columns):
        found = made(*columns)
        assert "1.jsonl isn't as it was written: a copy is kept (NAME.changed)" in found.stderr
        assert "hand" in (tmp_path / "out/1.jsonl.changed").read_text()
        assert "hand" not in (tmp_path / "out/1.jsonl").read_text()

    def test_is_kept_when_nothing_is_behind_it_any_more(self, made, table, tmp_path):
        (table / "1.jsonl").unlink()
        made("run_number", "reco")
        assert not (tmp_path / "out/1.jsonl").exists()
        assert "hand" in (tmp_path / "out/1.jsonl.changed").read_text()


@pytest.mark.parametrize("break_it", [lambda file: file.symlink_to("gone.jsonl"), lambda file: file.mkdir()])
def test_what_is_named_as_a_file_and_is_none(tkstudies, table, break_it):
    break_it(table / "9.jsonl")
    found = tkstudies("filter", "Hits.mean > 4", table)
    assert (found.exit_code, found.stdout) == (1, "")
    assert "9.jsonl is no file, or a link to one that isn't there" in found.stderr
