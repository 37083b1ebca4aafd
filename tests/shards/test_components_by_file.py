"""``pca -o NAME/``: a file of components for each file of the table, and a second call that does only what it must."""

import json

import pytest

from tests.analysis import studies
from tests.conftest import to_lines

FILES = ("0.jsonl", "1.jsonl", "2.jsonl", "3.jsonl")


@pytest.fixture
def table(tmp_path):
    """A folder of four files; the row of the last has no features."""
    rows = studies.features(120)
    folder = tmp_path / "table"
    folder.mkdir()
    for number, name in enumerate(FILES[:3]):
        (folder / name).write_text(to_lines(rows[40 * number : 40 * number + 40]))
    (folder / FILES[3]).write_text(to_lines([{**dict.fromkeys(rows[0]), "run_number": 330000, "reco": "prompt"}]))
    return folder


@pytest.fixture
def pca(tkstudies, table, tmp_path):
    """The command, into the folder ``out``."""
    return lambda *options: tkstudies("pca", *options, table, "-o", f"{tmp_path}/out/")


def files(folder):
    return {file.name: file.read_bytes() for file in sorted(folder.glob("*.jsonl"))}


def kept(found):
    return next((int(line.split()[0]) for line in found.stderr.splitlines() if "stay as they are" in line), 0)


@pytest.fixture
def model(tkstudies, table, tmp_path):
    file = tmp_path / "model.json"
    assert tkstudies("pca", table, "--model", file).exit_code == 0
    return file


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_files_together_are_what_one_file_would_be(tkstudies, pca, table, tmp_path, jobs):
    one = tkstudies("pca", table)
    found = pca("--jobs", jobs)
    assert (found.stdout, found.stderr, found.exit_code) == ("", one.stderr, 0)
    made = files(tmp_path / "out")
    assert tuple(made) == FILES and b"".join(made.values()).decode() == one.stdout
    assert tkstudies("filter", "run_number > 0", tmp_path / "out").stdout == one.stdout


def test_a_second_call_does_nothing_until_a_row_changes_which_changes_all(pca, table, tmp_path):
    first = pca()
    made = files(tmp_path / "out")
    second = pca()
    assert (kept(first), kept(second)) == (0, 4)
    row = json.loads((table / "1.jsonl").read_text().splitlines()[0])
    (table / "1.jsonl").write_text(to_lines([row]))
    third = pca()
    assert kept(third) == 0 and "from other input: all of it is made again" in third.stderr
    assert [files(tmp_path / "out")[name] == made[name] for name in FILES] == [False, False, False, True]


def test_a_lost_file_is_made_again(pca, tmp_path):
    pca()
    made = files(tmp_path / "out")
    (tmp_path / "out/1.jsonl").unlink()
    pca()
    assert files(tmp_path / "out") == made


def test_with_a_given_model_only_what_has_changed_is_made(tkstudies, pca, model, table, tmp_path):
    pca("--apply", model)
    (table / "1.jsonl").write_text("".join((table / "1.jsonl").read_text().splitlines(keepends=True)[:7]))
    found = pca("--apply", model)
    assert kept(found) == 3 and "7 rows projected" in found.stderr
    assert b"".join(files(tmp_path / "out").values()).decode() == tkstudies("pca", "--apply", model, table).stdout
    model.write_text(model.read_text().replace('"made_at"', '"made_again"'))
    assert kept(pca("--apply", model)) == 0


def test_a_side_file_is_made_in_any_case(pca, tmp_path):
    pca()
    found = pca("--model", tmp_path / "new.json")
    assert kept(found) == 0 and (tmp_path / "new.json").exists()


def test_a_bad_line_leaves_no_half_file_and_is_tried_again(pca, table, tmp_path):
    with open(table / "2.jsonl", "a") as file:
        file.write("{broken\n")
    found = pca()
    assert found.exit_code == 1 and f"{table}/2.jsonl, line 41: not a JSON object" in found.stderr
    assert not files(tmp_path / "out")
    found = pca("--skip-bad-lines")
    assert found.exit_code == 3 and tuple(files(tmp_path / "out")) == FILES
    assert kept(pca("--skip-bad-lines")) == 0  # somebody may have mended the line


def test_standard_input_has_no_name(tkstudies, tmp_path):
    found = tkstudies("pca", "-o", f"{tmp_path}/out/", input=studies.features(20))
    assert found.exit_code == 2 and "standard input has no name" in found.stderr
    assert not (tmp_path / "out").exists()
