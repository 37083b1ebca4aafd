"""The command line as a whole: help, start-up, global options, exit codes; and every command on the same edge cases."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
import typer
from typer.main import get_command

from tkstudies import __version__, cli, frontdoor, settings
from tkstudies.analysis.tables.filter import filter_rows
from tkstudies.cli import app

GROUP = get_command(app)
ALL = list(frontdoor.COMMANDS)
NEEDS_DATA = {"pca": [], "plot": ["-o", "x.png"], "outliers": [], "embed": []}
READS_RECORDS = {
    "merge": ["right.jsonl"],
    "label": [],
    "filter": ["a exists"],
    "features": [],
    "select": ["a"],
    "sort": [],
    "show": [],
    "count": ["a"],
    "pivot": ["--columns", "a"],
    **NEEDS_DATA,
}


def leaves(command, name=""):
    if not hasattr(command, "list_commands"):
        return {name: command}
    return {
        k: v
        for child in command.list_commands(None)
        for k, v in leaves(command.get_command(None, child), f"{name} {child}".strip()).items()
    }


def command(name):
    return GROUP.get_command(None, name)


def python(code, *arguments):
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60)


def test_version_imports_nothing_heavy():
    code = (
        "import sys\nsys.argv = ['tkstudies', '--version']\nfrom tkstudies.__main__ import main\nmain()\n"
        "heavy = {'pandas', 'numpy', 'sklearn', 'matplotlib', 'vcr', 'requests', 'typer'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    result = python(code)
    assert (result.stdout, result.stderr, result.returncode) == (f"tkstudies {__version__}\n", "", 0)


@pytest.fixture(scope="module")
def heavy_imports():
    """Command -> the heavy libraries that its module imports: each in a copy of one process that has the front door."""
    code = (
        "import importlib, os, sys\nimport tkstudies.cli\n"
        "for name in sys.argv[1:]:\n"
        "    if os.fork():\n        assert os.wait()[1] == 0, name\n        continue\n"
        "    importlib.import_module('tkstudies.commands.' + name)\n"
        "    heavy = {'pandas', 'numpy', 'sklearn', 'matplotlib', 'vcr', 'requests', 'scipy'} & set(sys.modules)\n"
        "    print(name, *heavy, flush=True)\n    os._exit(0)"
    )
    result = python(code, *ALL)
    assert (result.stderr, result.returncode) == ("", 0)
    return {name: heavy for name, *heavy in map(str.split, result.stdout.splitlines())}


@pytest.mark.parametrize("name", ALL)
def test_a_command_imports_nothing_heavy_before_it_works(name, heavy_imports):
    assert heavy_imports[name] == []


def test_streaming_commands_never_import_pandas_or_numpy(tmp_path):
    (tmp_path / "right.jsonl").write_text('{"run_number":1,"b":2}\n')
    for arguments in (["merge", "right.jsonl"], ["filter", "a = 1"], ["label"], ["features"]):
        histogram = '{"run_number":1,"plot":"/p","hist":{"stats":{"entries":1}}}'
        record = histogram if arguments == ["features"] else '{"run_number":1,"a":1,"pixel":null}'
        code = (
            f"import os, sys\nos.chdir({str(tmp_path)!r})\nsys.argv = ['tkstudies', *{arguments!r}]\n"
            "import io\nsys.stdin = io.TextIOWrapper(io.BytesIO(" + repr(record.encode()) + "))\n"
            "from tkstudies.__main__ import main\n"
            "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
            "heavy = {'pandas', 'numpy', 'sklearn', 'matplotlib', 'requests'} & set(sys.modules)\n"
            "assert not heavy, heavy"
        )
        result = python(code)
        said = "1 of 1 record kept\n" if arguments[0] == "filter" else ""
        assert (result.stderr, result.returncode) == (said, 0), arguments


def test_the_static_help_is_that_of_the_application(tkstudies, shell):
    shown = shell("tkstudies --help")
    assert (shown.stdout, shown.stderr, shown.returncode) == (frontdoor.help_text(), "", 0)
    assert tkstudies("--help").stdout.strip() == frontdoor.help_text().strip()
    real = {" ".join(sorted(p.opts, key=len)) for p in GROUP.params}
    for option in ("-q --quiet", "-v --verbose", "--replay", "--record", "--version"):
        assert option in real
        assert option.split()[-1] in frontdoor.help_text()


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_help_with_an_example(name, tkstudies):
    for path, leaf in leaves(command(name), name).items():
        result = tkstudies(*path.split(), "--help")
        assert (result.stderr, result.exit_code) == ("", 0)
        assert "Example" in result.stdout, path
        assert f"tkstudies {path}" in result.stdout, path
        assert len(leaf.help.split()) > 5
        for parameter in leaf.params:
            assert parameter.param_type_name == "argument" or parameter.hidden or parameter.help, (
                f"{path}: {parameter.name}"
            )


@pytest.mark.parametrize("name", ALL)
def test_every_command_takes_the_global_options(name):
    for path, leaf in leaves(command(name), name).items():
        options = {option for parameter in leaf.params for option in parameter.opts}
        assert {"-q", "--quiet", "-v", "--verbose", "--replay", "--record"} <= options, path
        assert len([o for p in leaf.params for o in p.opts]) == len(options), f"{path}: an option is there twice"


def test_no_command_is_a_usage_error(shell):
    result = shell("tkstudies")
    assert (result.stdout, result.returncode) == (frontdoor.help_text(), 2)


def test_a_misspelt_command_is_guessed(tkstudies):
    result = tkstudies("fliter")
    assert (result.stdout, result.exit_code) == ("", 2)
    assert "No such command 'fliter'. Did you mean 'filter'?" in result.stderr


@pytest.mark.parametrize("before", [True, False])
def test_quiet_works_on_both_sides_of_the_command(before, tkstudies, tmp_path):
    rows = [{"run_number": n, "a.mean": n, "b.mean": n * n % 7} for n in range(10)]
    arguments = ["pca", "-n", "2"]
    result = tkstudies(*(["-q", *arguments] if before else [*arguments, "-q"]), input=rows)
    assert (result.stderr, result.exit_code) == ("", 0)
    assert "explained" in tkstudies(*arguments, input=rows).stderr


def test_errors_of_the_command_line_are_left_to_typer(tkstudies):
    assert cli.CommandLineError.__name__ == "ClickException"
    assert issubclass(typer.BadParameter, cli.CommandLineError)
    assert not issubclass(typer.Exit, cli.CommandLineError)
    for arguments in (["filter", "--nonsense"], ["nonsense"], ["rank", "--top", "x"], ["oms", "runz"]):
        result = tkstudies(*arguments, input="")
        assert (result.stdout, result.exit_code) == ("", 2), arguments
        assert result.stderr.startswith("Usage: "), result.stderr
        assert "internal error" not in result.stderr


@pytest.mark.parametrize("name", ["quiet", "verbose", "replay", "record"])
def test_a_global_option_does_the_same_before_and_behind_the_command(name, tkstudies, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "tkstudies.analysis.tables.expressions.parse", lambda text: seen.append(getattr(settings.current, name))
    )
    given = {"replay": ["--replay", tmp_path], "record": ["--record", tmp_path]}.get(name, [f"--{name}"])
    tkstudies(*given, "filter", "a = 1", input="")
    tkstudies("filter", *given, "a = 1", input="")
    tkstudies("filter", "a = 1", input="")
    assert seen == ([tmp_path, tmp_path, None] if len(given) > 1 else [True, True, False])


def test_every_global_option_is_a_setting():
    fresh = settings.Settings()
    assert [option.name for option in frontdoor.GLOBAL_OPTIONS] == ["quiet", "verbose", "replay", "record"]
    assert all(hasattr(fresh, option.name) for option in frontdoor.GLOBAL_OPTIONS)


def test_replay_and_record_exclude_each_other(tkstudies, tmp_path):
    result = tkstudies("--replay", tmp_path, "filter", "a = 1", "--record", tmp_path, input="")
    assert (result.stdout, result.exit_code) == ("", 2)
    assert "exclude each other" in result.stderr


def test_a_missing_replay_folder_is_named(tkstudies):
    result = tkstudies("filter", "a = 1", "--replay", "/no/such/folder", input="")
    assert (result.stderr, result.exit_code) == ("tkstudies: --replay: no such folder: /no/such/folder\n", 1)


def test_an_internal_error_is_one_line(tkstudies, monkeypatch):
    def broken(text):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("tkstudies.analysis.tables.expressions.parse", broken)
    result = tkstudies("filter", "a = 1", input="")
    assert (result.stdout, result.exit_code) == ("", 1)
    assert result.stderr.startswith("tkstudies: internal error in filter: ZeroDivisionError: oops")


# --- the same edge cases for everything that reads records


@pytest.fixture
def study_folder(tmp_path, monkeypatch):
    (tmp_path / "right.jsonl").write_text('{"run_number":1,"b":2}\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", [name for name in READS_RECORDS if name in frontdoor.COMMANDS])
class TestEveryReader:
    def test_empty_input(self, name, tkstudies, study_folder):
        for nothing in ("", "\n \n", "[]"):
            result = tkstudies(name, *READS_RECORDS[name], input=nothing)
            assert (result.stdout, result.exit_code) == ("", int(name in NEEDS_DATA))
            assert len(result.stderr.splitlines()) == 1
            assert result.stderr.endswith("no records on standard input\n")
            assert result.stderr.startswith("warning: ") != (name in NEEDS_DATA)
            assert not (study_folder / "x.png").exists()

    def test_empty_files(self, name, tkstudies, study_folder):
        for file in ("a.jsonl", "b.jsonl"):
            (study_folder / file).write_text("")
        result = tkstudies(name, *READS_RECORDS[name], "-i", "a.jsonl", "-i", "b.jsonl")
        assert (result.stdout, result.exit_code) == ("", int(name in NEEDS_DATA))
        assert result.stderr.endswith("no records in a.jsonl and b.jsonl\n")
        assert result.stderr.count("\n") == 1

    def test_a_malformed_line(self, name, tkstudies, study_folder):
        result = tkstudies(name, *READS_RECORDS[name], input="nonsense\n")
        assert (result.stdout, result.exit_code) == ("", 1)
        assert "standard input, line 1: not a JSON object: nonsense" in result.stderr
        assert not (study_folder / "x.png").exists()

    def test_a_missing_file(self, name, tkstudies, study_folder):
        result = tkstudies(name, *READS_RECORDS[name], "-i", "nope.jsonl")
        assert (result.stdout, result.stderr) == ("", "tkstudies: nope.jsonl: no such file\n")
        assert result.exit_code == 1

    def test_a_terminal(self, name, reading, study_folder):
        leader, follower = os.openpty()
        with os.fdopen(follower) as terminal:
            result = reading(terminal, name, *READS_RECORDS[name])
        os.close(leader)
        assert (result.stdout, result.exit_code) == ("", 2)
        assert "standard input is a terminal" in result.stderr

    def test_closed_standard_input(self, name, reading, study_folder):
        result = reading(None, name, *READS_RECORDS[name])
        assert (result.stdout, result.exit_code) == ("", 1)
        assert "standard input is closed" in result.stderr


@pytest.fixture
def reading(monkeypatch, capsys):
    """Run a command in this process with a standard input as Python gives it: a file, or None if it is closed."""

    def run(stdin, *arguments):
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(SystemExit) as end:
            app(arguments, prog_name="tkstudies")
        said = capsys.readouterr()
        return SimpleNamespace(stdout=said.out, stderr=said.err, exit_code=end.value.code)

    return run


def test_a_terminal_of_a_shell(shell):
    result = shell("script -qec \"tkstudies filter 'a = 1'\" /dev/null < /dev/null")
    assert result.returncode == 2
    assert "standard input is a terminal" in result.stdout
    assert "Traceback" not in result.stdout


def test_standard_input_that_a_shell_closed(shell):
    result = shell("tkstudies filter 'a = 1' <&-")
    assert (result.stdout, result.returncode) == ("", 1)
    assert "standard input is closed" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["columns", "-i", "-"],
        ["compare", "--reference-run", "1"],
        ["diff", "right.jsonl"],
        ["dqm", "--collection", "tracking"],
        ["export"],
        ["export", "--to", "jsonl"],
        ["export", "--to", "csv", "-o", "x.csv"],
        ["rank"],
        ["oms", "runs", "-i", "-"],
        ["oms", "fills", "-i", "-"],
        ["runreg", "-i", "-"],
        ["plot", "scatter", "-o", "x.png"],
    ],
    ids=" ".join,
)
def test_empty_input_of_the_other_commands(arguments, tkstudies, study_folder):
    (study_folder / "right.jsonl").write_text("")
    result = tkstudies(*arguments, input="")
    assert (result.stdout, result.exit_code) == ("", int(arguments[0] in ("rank", "plot")))
    assert result.stderr.count("no records on standard input") == 1


def test_an_empty_side_is_told(tkstudies, study_folder):
    (study_folder / "empty.jsonl").write_text("")
    for name in ("merge", "diff"):
        result = tkstudies(name, "empty.jsonl", input=[{"run_number": 1, "a": 2}])
        assert (result.stderr.count("warning: no records in empty.jsonl\n"), result.exit_code) == (1, 0)


def test_a_python_user_gets_no_warning_of_empty_records(recwarn):
    assert list(filter_rows([], "a = 1")) == []
    assert not recwarn


# --- real processes in a shell


def test_behind_a_command_that_failed(shell):
    told = "no records on standard input: if the command before it failed, its message tells why\n"
    result = shell("tkstudies filter 'a = 1' -i nope.jsonl | tkstudies filter 'a = 1' | tkstudies label")
    assert (result.stdout, result.returncode) == ("", 0)
    assert result.stderr == f"tkstudies: nope.jsonl: no such file\nwarning: {told}warning: {told}"
    result = shell("false | tkstudies pca")
    assert (result.stdout, result.stderr, result.returncode) == ("", f"tkstudies: {told}", 1)
    assert shell("tkstudies filter 'a = 1' < /dev/null").stderr == "warning: no records on standard input\n"


def test_head_ends_a_pipe_quietly(shell):
    result = shell("set -o pipefail; yes '{\"a\":1}' | head -100000 | tkstudies filter 'a = 1' | head -2")
    assert (result.stdout, result.stderr) == ('{"a":1}\n{"a":1}\n', "")
    result = shell("yes '{\"a\":1}' | head -100000 | (tkstudies filter 'a = 1'; echo $? >&2) | head -1")
    assert (result.stdout, result.stderr) == ('{"a":1}\n', "0\n")


def test_a_full_disk(shell):
    result = shell("echo '{\"a\":1}' | tkstudies filter 'a = 1' > /dev/full")
    assert result.stderr == "tkstudies: standard output: can't be written: No space left on device\n"
    assert result.returncode == 1


def test_interrupt(shell):
    result = shell(
        "(echo '{\"a\":1}'; sleep 5) | (trap - INT; exec tkstudies filter 'a = 1') & sleep 1.2;"
        " pkill -INT -f 'tkstudies filte[r] a = 1'; wait $!; echo $?"
    )
    assert result.stdout.splitlines()[-1] == "130"
    assert "Traceback" not in result.stderr
    assert result.stderr.strip().endswith("interrupted")


def test_python_dash_m(shell):
    result = shell("python -m tkstudies --version")
    assert (result.stdout, result.returncode) == (f"tkstudies {__version__}\n", 0)


def test_a_file_that_is_input_and_output_at_once_is_refused(shell):
    for appended in ("-i x.jsonl >> x.jsonl", "< x.jsonl >> x.jsonl"):
        result = shell(f"echo '{{\"a\":1}}' > x.jsonl; tkstudies filter 'a = 1' {appended}; echo $?; cat x.jsonl")
        assert result.stdout == '1\n{"a":1}\n'
        assert "is also the output, which would never end: write it with -o" in result.stderr


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_what_is_answered_at_once_can_fail_too(option, shell):
    full = shell(f"tkstudies {option} > /dev/full")
    assert full.stderr == "tkstudies: standard output: can't be written: No space left on device\n"
    assert full.returncode == 1
    closed = shell(f"tkstudies {option} >&-")
    assert (closed.returncode, closed.stderr.count("\n")) == (1, 1)
    assert shell(f"set -o pipefail; tkstudies {option} | true").stderr == ""


def test_the_shell_completes_commands(shell):
    result = shell("tkstudies", COMP_WORDS="tkstudies fi", COMP_CWORD="1", _TKSTUDIES_COMPLETE="complete_bash")
    assert (result.stdout, result.returncode) == ("filter\n", 0)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("tkstudies sort -i pca.jsonl --by p", ["pc1", "pc2"]),
        ("tkstudies pca pca.jsonl --features pc1,t", ["pc1,t2"]),
        ("tkstudies filter tr", ["tracking", "tracks.mean"]),
        ("tkstudies plot scatter pca.jsonl --x nothing", []),
        ("tkstudies select -i broken.jsonl pc", ["pc1", "pc2"]),
        ("tkstudies diff other.jsonl --on ru", ["run_number"]),
    ],
)
def test_the_shell_completes_columns(typed, offered, shell, tmp_path):
    (tmp_path / "pca.jsonl").write_text('{"run_number":1}\n{"run_number":2,"pc1":1,"pc2":2,"t2":3}\n')
    (tmp_path / "other.jsonl").write_text('{"run_number":1,"tracks.mean":7}\n')
    (tmp_path / "broken.jsonl").write_text("<html>\n")
    words = typed.split()
    result = shell("tkstudies", COMP_WORDS=typed, COMP_CWORD=str(len(words) - 1), _TKSTUDIES_COMPLETE="complete_bash")
    assert (result.stdout.split(), result.stderr, result.returncode) == (offered, "", 0)


PLAIN = ["a:b/c-d", "charge.PXDisk_+1.mean", "later"]


def complete(shell, typed, kind="bash", script="tkstudies", **options):
    words = {"COMP_WORDS": typed.replace(" ", "\n"), "COMP_CWORD": str(typed.count(" ")), "_TYPER_COMPLETE_ARGS": typed}
    return shell(script, _TKSTUDIES_COMPLETE=f"complete_{kind}", **words, **options)


@pytest.mark.parametrize("kind", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("file", ["evil.jsonl", "evil.jsonl.gz", "evil.json"])
def test_only_plain_names_are_offered(kind, file, shell, tmp_path):
    odd = ["$(touch X)", "`touch X`", "two words", "\x1b[31mred", "x'y", 'q"r', "*", "-rf", "naïve", ";", "~", ""]
    first = {name: {"inner": {"deep": 1}} for name in [*odd, *PLAIN[:2]]}
    rows = [first, {"text": 'a "b": {'}, {"later": ["x", {"member": 1}]}]
    text = json.dumps(rows, indent=1) if file == "evil.json" else "".join(f"{json.dumps(row)}\n" for row in rows)
    data = text.encode()
    (tmp_path / file).write_bytes(gzip.compress(data) if file.endswith("gz") else data)
    environment = {"_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    result = complete(shell, f"tkstudies select -i {file} ", kind, **environment)
    separated = result.stdout.replace("\\\\:", ":")
    offered = re.findall(r'"(.*?)"', separated) if kind == "zsh" else separated.splitlines()
    assert (sorted(offered), result.stderr) == (sorted([*PLAIN, "text"]), "")
    assert not (tmp_path / "X").exists()


def test_a_name_is_found_in_a_record_that_is_cut(shell, tmp_path):
    (tmp_path / "wide.jsonl").write_text('{"first":1,"long":"' + "x" * 100_000 + '","last":2}\n')
    (tmp_path / "torn.jsonl").write_text('{"a":{"b":\n{"c":1}\n')
    assert complete(shell, "tkstudies select -i wide.jsonl ").stdout.split() == ["first", "long"]
    assert complete(shell, "tkstudies select -i torn.jsonl ").stdout.split() == ["a", "c"]


def test_the_name_before_a_comma_is_plain_too(shell, tmp_path):
    (tmp_path / "x.jsonl").write_text('{"pc1":1}\n')
    for before, offered in {"pc2,": ["pc2,pc1"], "$(touch&X),": [], "`touch`,": [], "a,b,": ["a,b,pc1"]}.items():
        result = complete(shell, f"tkstudies select -i x.jsonl {before}p", "zsh")
        assert re.findall(r'"(.*?)"', result.stdout) == offered


def test_pipes_and_bombs_do_not_stop_the_shell(shell, tmp_path):
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "bomb.jsonl.gz").write_bytes(gzip.compress(b'{"bomb":"' + bytes(200_000_000), 1))
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b'{"cut":1}\n' * 9)[:20])
    (tmp_path / "good.jsonl").write_text('{"good":1}\n')
    command = "select -i pipe.jsonl -i folder.jsonl -i bomb.jsonl.gz -i cut.jsonl.gz -i good.jsonl -i /dev/zero"
    result = complete(shell, f"tkstudies {command} ", script="ulimit -v 1000000; exec timeout 20 tkstudies")
    assert (result.stdout.split(), result.stderr, result.returncode) == (["bomb", "cut", "good"], "", 0)
    assert complete(shell, "tkstudies select go", timeout=20).stdout == "good\n"


def test_global_options_stand_before_a_subcommand_too(tkstudies):
    assert tkstudies("oms", "-q", "runs", "--help").exit_code == 0


@pytest.mark.parametrize("variable", ["TKSTUDIES_TIMEOUT", "TKSTUDIES_PATIENCE"])
@pytest.mark.parametrize("value", ["abc", "0", "-3", "inf"])
def test_seconds_that_are_none(variable, value, tkstudies, monkeypatch):
    monkeypatch.setenv(variable, value)
    result = tkstudies("oms", "runs", "--run", "317434")
    assert (result.stdout, result.exit_code) == ("", 2)
    assert f"{variable}={value}: expected a number of seconds above 0" in result.stderr


def test_a_record_folder_that_cannot_be_written(live, tkstudies):
    result = tkstudies("--record", "/proc/x", "oms", "runs", "--run", "315265")
    assert result.exit_code == 1
    assert "--record: /proc/x" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_warning_of_a_library_is_nobodys_business(tmp_path):
    code = (
        "import sys, warnings\nfrom tkstudies import cli\nimport tkstudies.analysis.tables.expressions as module\n"
        "parse = module.parse\nmodule.parse = lambda text: warnings.warn('of a library') or parse(text)\ncli.run()"
    )
    for verbose in ([], ["-v"]):
        command = [sys.executable, "-c", code, "filter", "a = 1", *verbose]
        result = subprocess.run(command, input='{"a":1}\n', capture_output=True, text=True, timeout=60)
        assert (result.stdout, result.returncode) == ('{"a":1}\n', 0)
        assert ("of a library" in result.stderr) == bool(verbose)


def test_what_a_library_logs_is_nobodys_business(tmp_path):
    code = (
        "import sys\nfrom tkstudies import cli, frontdoor\nhelp_text = frontdoor.help_text\n"
        "def told():\n    import logging\n    logging.getLogger('font').warning('of a library')\n"
        "    return help_text()\nfrontdoor.help_text = told\ncli.run()"
    )
    for verbose in ([], ["-v"]):
        result = python(code, "help", *verbose)
        assert (result.returncode, "of a library" in result.stderr) == (0, bool(verbose))
