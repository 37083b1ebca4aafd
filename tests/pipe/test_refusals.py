"""The words with which a command line is refused, before anything is read, asked or written."""

from __future__ import annotations

import pytest

PICTURE = ["plot", "-i", "runs.jsonl"]
V3 = ["runreg", "--api", "v3", "--run", "317291"]
SELECT = "select runs: --min, --max, --run"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["count", "--each", "run"], "--each is for --sum"),
        (["doctor", "runs", "--from", "x.json", "--cookies", "c.txt"], "--from and --cookies exclude each other"),
        (["dqm"], "what shall it be? Give one of --plot, --collection or --tracking-map; --folder; --ls; --datasets"),
        (["dqm", "--datasets", "--ls", "/"], "exclude each other"),
        (["dqm", "--online", "--reco", "express", "--datasets"], "--online and --reco exclude each other"),
        (["dqm", "--online", "--dataset", "/a/b/DQMIO", "--datasets"], "--online and --dataset exclude each other"),
        (["dqm", "--run", "317291", "--datasets"], "--run needs --reco (or --online)"),
        (["dqm", "--plot", "Hits"], "--plot 'Hits': a path begins with a slash"),
        (["dqm", "--plot", "/Hits", "--resume", "-"], "--resume needs the name of a file"),
        (["export", "-o", "x.xls"], "-o x.xls: the ending is none of"),
        (["export", "--to", "csv", "--drop-nulls"], "--drop-nulls is for --to jsonl"),
        (["export", "--to", "csv", "--names", "a"], "--names is for --to jsonl"),
        (["export", "--to", "csv", "--header"], "--header is for --to jsonl"),
        (["export", "--to", "csv", "--delimiter", ";"], "--delimiter is for --to jsonl"),
        (["export", "--to", "csv", "--decimal", ","], "--decimal is for --to jsonl"),
        (["export", "--to", "csv", "--encoding", "cp1252"], "--encoding is for --to jsonl"),
        (["export", "--to", "csv", "--quoted-numbers"], "--quoted-numbers is for --to jsonl"),
        (["export", "--to", "jsonl", "--defuse"], "--defuse is for --to csv"),
        (["export", "--to", "jsonl", "--decimal", ";"], "--decimal"),
        (["label", "--set", "week"], "--set 'week': "),
        (["label", "--set", "=1"], "--set '=1': "),
        (["oms", "fills"], "select fills: --min, --max, --fill, -i, --since, --until, --last or --filter"),
        (["oms", "runs", "--type", "cosmics"], "--type needs runs to choose among: --min, --max, --run, --fill"),
        (["oms", "hltpaths"], "select runs: --run, --min, --max, --runs-from, -i or --fill"),
        (["oms", "hltrates"], "select runs: --run, --min, --max, --runs-from, -i or --fill"),
        (["oms", "lumisections"], "lumisections that there ever were: select runs, fills or times, or use --filter"),
        (["oms", "get", "../runs"], "'../runs' is not the name of a resource, such as runs or eras"),
        (["oms", "runs", "--last", "9999999w"], "--last 9999999w: that is before all time"),
        (["oms", "runs", "--min", "9", "--filter", "run_number__gte=8"], "two conditions on run_number with "),
        (["pca", "--tolerant"], "--tolerant goes with --apply"),
        (["pca", "--model", "m.json", "--loadings", "m.json"], "--model and --loadings need files of their own"),
        (["pca", "--model", "m.json", "-o", "m.json"], "--model and --loadings need files of their own"),
        (["pca", "--loadings", "l.jsonl", "-o", "l.jsonl"], "--model and --loadings need files of their own"),
        (["pca", "--apply", "m.json", "--components", "2"], "--apply uses the model as it is: leave out "),
        (["pca", "--apply", "m.json", "--features", "a"], "--apply uses the model as it is: leave out "),
        (["pca", "--apply", "m.json", "--fit-where", "a = 1"], "--apply uses the model as it is: leave out "),
        (["pca", "--apply", "m.json", "--missing", "mean"], "--apply uses the model as it is: leave out "),
        (["pca", "--apply", "m.json", "--model", "n.json"], "--apply uses the model as it is: leave out "),
        (PICTURE, "name a picture with -o FILE.png, or open a window with --show"),
        ([*PICTURE, "-o", "p/", "--batch", "reco", "--show"], "--batch writes many pictures: leave out --show"),
        (["rank", "--reference", "317291"], "--reference goes with --typical"),
        (["rank", "--typical", "--condition", "energy"], "--typical looks at features of all runs"),
        (["rank", "--typical", "--run", "317291"], "--typical looks at features of all runs"),
        (["rank", "--typical", "--prefer-used", "x.jsonl"], "--typical looks at features of all runs"),
        (["rank", "--typical", "--by", "both"], "--typical looks at features of all runs"),
        (["rank", "317291", "--typical"], "--typical looks at features of all runs"),
        ([*V3, "--status-rule", "worst"], "--status-rule needs --api v4: v3 has one status for a whole run"),
        ([*V3, "--lumisections"], "--lumisections needs --api v4: v3 has one status for a whole run"),
        ([*V3, "--cookies", "c.txt"], "--cookies needs --api v4: v3 asks for no login"),
        (["runreg"], SELECT),
        (["runreg", "--type", "cosmics"], SELECT),
        (["runreg", "--min-ls", "5"], SELECT),
        (["wbm"], "select runs: --min, --max, --run or -i"),
        (["runreg", "--run", "seven"], "--run 'seven': expected numbers and ranges such as 355100,355205-355210"),
        (["oms", "fills", "--fill", "9-"], "--fill '9-': expected numbers and ranges"),
        (["runreg", "--filter", "reco ="], "expected"),
        (["filter", "a in (1)"], "write the list after in without brackets, or quote its members"),
        (["filter", "a => 1"], "is no operator"),
        (["filter", f"a ~ {'x' * 5000}"], "a regular expression may have "),
        (["trackingmap"], "name the maps with --maps FILE"),
        (["trackingmap", "--maps", "m", "--only", "x"], "--only: no column x; there are reference_cost"),
        (["trackingmap", "--maps", "m", "--only", "map_scale", "--periodic-phi"], "changes only angular_entropy"),
        (["trackingmap", "--maps", "-"], "standard input can't be both rows and maps"),
        (["rank", "--prefer-used", "-"], "standard input can't be both the runs and the references"),
        (["check", "--service", "nonsense"], "--service 'nonsense': known are runreg, oms, dqm"),
        (["todo", "--reco", "nonsense"], "--reco 'nonsense': known are online, express, prompt"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_a_refusal_says_why(arguments, words, tkstudies, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = tkstudies(*arguments, input="")
    assert (result.stdout, result.exit_code) == ("", 2)
    assert words in " ".join(result.stderr.split())
    assert not list(tmp_path.iterdir())
