"""``export --to parquet -o NAME/``: one table for every program that reads Parquet, and back."""

import pytest

from tests.conftest import from_lines, to_lines
from tkstudies.commands import export_files

pytest.importorskip("pyarrow")

PARTS = {  # the types of columns are known only from all files together
    "317291-317292": [
        {"run_number": 317291, "x": 1, "mixed": 1, "nothing": None, "list": [1, 2], "ok": True, "Hits.mean": 0.5},
        {"run_number": 317292, "x": 7, "mixed": "12", "nothing": None, "list": [3], "ok": None, "Hits.mean": 1.5},
    ],
    "317293": [{"run_number": 317293, "x": 2.5, "mixed": "a text", "list": [], "nothings": [None], "extra": "é"}],
    "317294": [{"run_number": 317294, "x": None, "mixed": {"q": 1}, "ok": False, "large": 2**64}],
    "317295": [],
}
COLUMNS = ["run_number", "x", "mixed", "nothing", "list", "ok", "Hits.mean", "nothings", "extra", "large"]
ROWS = [{column: row.get(column) for column in COLUMNS} for rows in PARTS.values() for row in rows]


def write(folder, parts=PARTS):
    folder.mkdir(exist_ok=True)
    for name, rows in parts.items():
        (folder / f"{name}.jsonl").write_text(to_lines(rows))


@pytest.fixture
def export(tkstudies, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "table")
    return lambda *options: tkstudies("export", "--to", "parquet", "table/", "-o", "out/", *options)


def times(tmp_path):
    return {file.stem: file.stat().st_mtime_ns for file in (tmp_path / "out").glob("3*.parquet")}


class TestItIsOneTable:
    def test_that_comes_back_as_it_was(self, export, tkstudies):
        found = export()
        assert found.exit_code == 0
        assert found.stderr.splitlines() == [
            "warning: mixed, large: mixed types or objects, written as texts (--to jsonl restores them)",
            "out/: 4 records, 10 columns",
        ]
        back = tkstudies("export", "--to", "jsonl", "out/")
        assert from_lines(back.stdout) == ROWS

    def test_of_pyarrow_and_pandas(self, export, tmp_path):
        import pandas
        import pyarrow.dataset
        import pyarrow.parquet

        export()
        schemas = {str(pyarrow.parquet.read_schema(file)) for file in (tmp_path / "out").glob("3*.parquet")}
        assert len(schemas) == 1 and "null" not in schemas.pop().replace("not null", "")
        table = pyarrow.dataset.dataset(tmp_path / "out").to_table()
        assert table.column("x").to_pylist() == [1.0, 7.0, 2.5, None]
        assert pandas.read_parquet(tmp_path / "out")["run_number"].tolist() == [317291, 317292, 317293, 317294]

    def test_of_polars(self, export, tmp_path):
        polars = pytest.importorskip("polars")
        export()
        for read in (polars.read_parquet, lambda folder: polars.scan_parquet(folder).collect()):
            assert read(tmp_path / "out").sort("run_number").to_dicts() == self.rows(tmp_path)

    def test_of_duckdb(self, export, tmp_path):
        duckdb = pytest.importorskip("duckdb")
        export()
        found = duckdb.sql(f"select * from '{tmp_path}/out/*.parquet' order by run_number")
        assert [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()] == self.rows(tmp_path)

    @staticmethod
    def rows(tmp_path):
        """What pyarrow reads, whose files are those that Spark and pandas read."""
        import pyarrow.dataset

        return pyarrow.dataset.dataset(tmp_path / "out").to_table().sort_by("run_number").to_pylist()

    def test_also_files_whose_names_others_pass_over(self, export, tkstudies, tmp_path):
        for name in ("_one", ".two", "part_one"):
            (tmp_path / f"{name}.jsonl").write_text(to_lines(PARTS["317291-317292"]))
        inputs = [word for name in ("_one", ".two", "part_one") for word in ("-i", f"{name}.jsonl")]
        assert tkstudies("export", "--to", "parquet", *inputs, "-o", "out/").exit_code == 0
        names = {file.name for file in (tmp_path / "out").glob("*.parquet")}
        assert names == {"partpart_one.parquet", "part.two.parquet", "part_one.parquet", "_manifest.parquet"}
        assert len(from_lines(tkstudies("export", "--to", "jsonl", "out/").stdout)) == len(self.rows(tmp_path)) == 6

    @pytest.mark.parametrize("output", ["out/", "out.parquet"])
    def test_names_that_differ_by_case_are_told(self, output, export, tkstudies, tmp_path):
        (tmp_path / "one.jsonl").write_text(to_lines([{"run_number": 1, "pixel": "GOOD", "Pixel": 1}]))
        found = tkstudies("export", "one.jsonl", "-o", output)
        assert found.exit_code == 0
        assert "warning: pixel, Pixel: names that differ by case only, which DuckDB changes and Spark" in found.stderr

    def test_out_of_one_file_and_named_as_an_argument(self, tkstudies, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "one.jsonl").write_text(to_lines(PARTS["317293"]))
        assert tkstudies("export", "--to", "parquet", "one.jsonl", "out/").exit_code == 0
        assert from_lines(tkstudies("export", "--to", "jsonl", "out").stdout) == PARTS["317293"]

    def test_with_several_processes(self, export, tkstudies):
        told = export("--jobs", 2)
        assert told.exit_code == 0
        assert from_lines(tkstudies("export", "--to", "jsonl", "out/").stdout) == ROWS


class TestASecondCall:
    def test_leaves_what_is_there(self, export, tmp_path):
        first = export()
        before = times(tmp_path)
        again = export()
        assert "4 of 4 files in out/ stay as they are" in again.stderr
        assert again.stderr.splitlines()[-1] == first.stderr.splitlines()[-1]
        assert times(tmp_path) == before

    def test_makes_what_is_missing_or_changed(self, export, tmp_path):
        export()
        before = times(tmp_path)
        (tmp_path / "out" / "317293.parquet").unlink()
        write(tmp_path / "table", {"317295": [{"run_number": 317295, "x": 4}]})
        assert "2 of 4 files in out/ stay as they are" in export().stderr
        after = times(tmp_path)
        assert [name for name in sorted(after) if after[name] != before[name]] == ["317293", "317295"]

    def test_makes_all_again_if_a_type_has_changed(self, export, tkstudies, tmp_path):
        export()
        write(tmp_path / "table", {"317295": [{"run_number": "many"}]})
        assert "stay as they are" not in export().stderr
        back = from_lines(tkstudies("export", "--to", "jsonl", "out/").stdout)
        assert [row["run_number"] for row in back] == [317291, 317292, 317293, 317294, "many"]

    def test_removes_what_has_no_input(self, export, tmp_path):
        export()
        (tmp_path / "table" / "317294.jsonl").unlink()
        assert "317294.parquet removed, as no input is behind it any more" in export().stderr

    def test_after_one_that_was_stopped(self, export, tkstudies, tmp_path, monkeypatch):
        write_rows = export_files.parquet.write

        def stop(rows, *rest):
            write_rows(rows, *rest)
            if len(times(tmp_path)) == 1:
                raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(export_files.parquet, "write", stop)
            found = export()
        assert found.exit_code == 130
        assert "1 of 4 files are whole in out/: the same command goes on from there" in found.stderr
        partly = tkstudies("export", "--to", "jsonl", "out/")
        assert partly.exit_code == 3 and "not all of its files are made yet (1 of 4)" in partly.stderr
        assert export().exit_code == 0
        assert from_lines(tkstudies("export", "--to", "jsonl", "out/").stdout) == ROWS


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        "arguments, told",
        [
            (["--to", "csv", "table/", "-o", "out/"], "-o NAME/ is for Parquet"),
            (["--to", "parquet", "table/", "--jobs", "2", "-o", "out.parquet"], "--jobs is for the files of a folder"),
            (["--to", "parquet", "table/"], "or a folder with -o NAME/"),
            (["--to", "parquet", "table/", "-o", "table/"], "is in the folder that is written"),
            (["--to", "parquet", "-i", "-", "-o", "out/"], "standard input has no name"),
        ],
    )
    def test_options(self, export, tkstudies, arguments, told):
        found = tkstudies("export", *arguments, input=[])
        assert found.exit_code == 2
        assert told in found.stderr

    def test_folders(self, export, tkstudies, tmp_path):
        found = tkstudies("export", "--to", "jsonl", "table/")
        assert found.exit_code == 1
        assert "table/: is a folder without files that end in .parquet" in found.stderr
        export()
        (tmp_path / "out" / "317293.parquet").unlink()
        found = tkstudies("export", "--to", "jsonl", "out/")
        assert "out/: 317293.parquet of its _manifest.parquet is missing" in found.stderr
        (tmp_path / "out" / "_manifest.parquet").unlink()
        assert "holds 317291-317292.parquet, which no command wrote" in export().stderr

    def test_a_bad_line_is_told_with_its_place(self, export, tmp_path):
        with open(tmp_path / "table" / "317293.jsonl", "a") as file:
            file.write("{broken\n")
        found = export()
        assert found.exit_code == 1
        assert "table/317293.jsonl, line 2: not a JSON object" in found.stderr
        assert export("--skip-bad-lines").exit_code == 3
