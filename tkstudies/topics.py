"""Pages that ``tkstudies help`` shows beside the words and the commands: what goes together over several commands."""

PIPE = """\
The pipe
  Every command reads records from standard input, from -i FILE or from files at
  the end of its line, and writes records to standard output or -o FILE:

    tkstudies runreg --min 317291 --max 318877 -o runs.jsonl
    tkstudies oms runs --min 317291 --max 318877 -o oms_runs.jsonl
    tkstudies dqm --summaries --collection tracking runs.jsonl \\
      -o summaries.jsonl
    tkstudies features summaries.jsonl -o features.jsonl
    tkstudies merge oms_runs.jsonl features.jsonl < runs.jsonl \\
      | tkstudies label \\
      | tkstudies filter 'reco in express,prompt' -o study.jsonl
    tkstudies suspects study.jsonl --top 20 | tkstudies show

  - A file called - is standard input, or standard output.
  - Counts and warnings go to standard error; -q leaves the warnings only.
  - Exit codes: 0 done, 1 failed, 2 wrong command line, 3 some records are
    missing or were skipped, 130 interrupted. In scripts: set -euo pipefail.
  - A file appears when it is complete. A crawl that was stopped goes on with
    the same line and --resume FILE.
  - A folder is a table: its files that end in .jsonl or .jsonl.gz. --jobs 8
    works on eight of them at once; -o NAME/ writes a file for each; shard cuts.
  - Expressions such as 't2 > 15' go into quotes: the shell takes > for a file.
  Python has the same stages as functions: help(tkstudies).
"""

LOGIN = """\
Logging in ('tkstudies check' says what works on this machine, and as whom)
  OMS            the first of these that is there:
                 - tkstudies login: shows an address, to agree in any browser,
                   with two-factor login, too. Kept for you alone in
                   $XDG_STATE_HOME/tkstudies (else ~/.local/state/tkstudies) and
                   renewed while you work, until 'tkstudies logout'. On AFS:
                   export XDG_STATE_HOME=~/private/state
                 - an application, as for the Run Registry.
                 Before both: a token of 20 minutes that you have already, as
                   auth-get-user-token -c cmsoms-prod-public -a cmsoms-prod -x
                 makes it, in TKSTUDIES_OMS_TOKEN; or --cookies FILE.
  Run Registry   an application registered at
                 application-portal.web.cern.ch: SSO_CLIENT_ID and
                 SSO_CLIENT_SECRET in the environment or in a .env file of
                 yours; or --cookies FILE. It knows no login by browser.
  DIALS          tkstudies login dials; no command uses it yet.
  DQM GUI        a grid certificate: $X509_USER_PROXY; usercert.pem and a
                 userkey.pem without password in $CERN_CERTIFICATE_PATH,
                 ~/private or ~/.globus; or the proxy of voms-proxy-init.
  TkDQMDoctor    --cookies FILE or TKSTUDIES_COOKIES=FILE, made on lxplus by
                 auth-get-sso-cookie -u https://tkdqmdoctor.web.cern.ch -o FILE;
                 or a page saved in a browser: --from FILE.
  Run Registry   inside CERN only: ssh -D 1080 USER@lxplus.cern.ch, and
  v3, WBM        ALL_PROXY=socks5h://localhost:1080, after
                 pip install 'tkstudies[socks]'.
  Secrets are never shown, logged or recorded. A replay needs no login.
"""

RECORDS = """\
Records
  One JSON object a line (JSON Lines), plain or gzip; a JSON array is read, too.
  A row has keys (run_number and reco; with lumisection_number a lumisection; or
  fill_number) and columns. What is unknown is null or absent: that is the same.
  As a key 392001, 392001.0 and "392001" are one run; values stay as they came.
  'tkstudies columns' has all columns with unit and meaning, 'tkstudies columns
  FILE' what a file holds, 'tkstudies show FILE' shows rows, 'tkstudies export'
  makes CSV and Parquet and reads them. A histogram record has a plot and its
  bins (hist); 'tkstudies features' makes one row of the plots of a run.
  A line that is no record ends a command with file and line; with
  --skip-bad-lines such lines are left out and counted (exit code 3).
"""

TOPICS: dict[str, str] = {"pipe": PIPE, "login": LOGIN, "records": RECORDS}
"""Name -> page, at most 80 columns wide."""
