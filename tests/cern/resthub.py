"""Run Registry v3 as RestHub serves it: SQL in, rows out, on SQLite with namespaces as attached schemas."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import threading
from functools import lru_cache
from typing import Any

from tests.cern.faults import Reply

ROWS_LIMIT = 1000
TOKEN = re.compile(
    r"(?P<string>'(?:[^']|'')*')|(?P<word>[A-Za-z_\"][\w$#\"]*)|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<parameter>:\w+)|(?P<comment>--[^\n]*|/\*.*?\*/)|(?P<sign><>|<=|>=|!=|\|\||\S)|\s+",
    re.DOTALL,
)
JOINS = {"join", "inner", "left", "right", "full", "outer", "cross", "natural"}
CLAUSES = {"from", "where", "group", "having", "order", "connect"}
NOT_ALIASES = {"end", "null", "desc", "asc"}


class BadQuery(Exception):
    """The SQL is refused: answered as 400 with this text."""


def tokens_of(sql: str) -> list[str]:
    """The SQL in pieces, without blanks and comments; the empty string literal is NULL, as in Oracle."""
    found = (match for match in TOKEN.finditer(sql) if match.lastgroup not in (None, "comment"))
    return ["NULL" if match[0] == "''" else match[0] for match in found]


def check(tokens: list[str]) -> None:
    """Refuse what RestHub refuses: other statements than one SELECT, UNION, missing aliases."""
    words = [token.lower() for token in tokens]
    if not words or words[0] not in ("select", "with"):
        raise BadQuery("Only SELECT queries are supported")
    if ";" in words[:-1]:
        raise BadQuery("Only one query at a time is supported")
    for word in ("union", "intersect", "minus"):
        if word in words:
            raise BadQuery(f"{word.upper()} is not supported")
    _check_level(_nest(tokens))


def _nest(tokens: list[str]) -> list:
    stack: list[list] = [[]]
    for token in tokens:
        if token == "(":
            stack.append([])
        elif token == ")":
            if len(stack) == 1:
                raise BadQuery("Unbalanced parentheses")
            inner = stack.pop()
            stack[-1].append(inner)
        else:
            stack[-1].append(token)
    if len(stack) > 1:
        raise BadQuery("Unbalanced parentheses")
    return stack[0]


def _check_level(level: list) -> None:
    for item in level:
        if isinstance(item, list):
            _check_level(item)
    words = [item.lower() if isinstance(item, str) else "(" for item in level]
    if "select" not in words:
        return
    if "from" not in words:
        raise BadQuery("FROM keyword not found where expected")
    start, middle = words.index("select") + 1, words.index("from")
    end = next((i for i in range(middle + 1, len(words)) if words[i] in CLAUSES), len(words))
    if words[start] in ("distinct", "all"):
        start += 1
    for item in _pieces(level[start:middle], {","}):
        if not (_is_column(item) or _is_aliased(item)):
            raise BadQuery(f"Column alias is missing: {_text(item)}")
    for item in _pieces(level[middle + 1 : end], {",", *JOINS}):
        item = _pieces(item, {"on", "using"})[0]
        if item and item[-1] == ";":
            item = item[:-1]
        qualified = isinstance(item[0], list) or (len(item) > 2 and item[1] == ".")
        if not qualified or not _is_aliased(item):
            raise BadQuery(f"Table alias or namespace is missing: {_text(item)}")


def _pieces(level: list, separators: set[str]) -> list[list]:
    pieces: list[list] = [[]]
    for item in level:
        if isinstance(item, str) and item.lower() in separators:
            pieces.append([])
        else:
            pieces[-1].append(item)
    return [piece for piece in pieces if piece] or [["?"]]


def _is_word(item: Any) -> bool:
    return isinstance(item, str) and re.match(r"[A-Za-z_\"]", item) is not None


def _is_column(item: list) -> bool:
    return (
        item[-1] == "*"
        if len(item) in (1, 3) and item[-1] == "*"
        else ((len(item) == 1 and _is_word(item[0])) or (len(item) == 3 and item[1] == "." and _is_word(item[2])))
    )


def _is_aliased(item: list) -> bool:
    if len(item) < 2 or not _is_word(item[-1]) or item[-1].lower() in NOT_ALIASES:
        return False
    before = item[-2]
    return isinstance(before, list) or re.match(r"[\w\"':]", before) is not None


def _text(item: Any) -> str:
    return (
        f"({_text_list(item)})" if isinstance(item, list) and item and isinstance(item[0], list) else _text_list(item)
    )


def _text_list(items: list) -> str:
    return " ".join(f"({_text_list(item)})" if isinstance(item, list) else item for item in items)


class _Database:
    """All tables of a world.

    Attributes:
        columns: The types of the columns of each (namespace, table).
    """

    def __init__(self, world: Any) -> None:
        connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        connection.execute("PRAGMA case_sensitive_like = ON")
        connection.create_function("nvl", 2, lambda value, other: other if value is None else value)
        connection.create_function("to_number", 1, lambda value: None if value is None else float(value))
        for name in ("to_char", "to_date"):
            connection.create_function(name, -1, lambda value, *_: value)
        connection.create_function("regexp_like", 2, _regexp_like)
        tables = world.resthub_tables()
        for namespace in dict.fromkeys(namespace for namespace, _ in tables):
            connection.execute(f"ATTACH DATABASE ':memory:' AS \"{namespace}\"")
        self._connection = connection
        self._lock = threading.Lock()
        self.columns: dict[tuple[str, str], dict[str, str]] = {}
        for (namespace, table), (columns, rows) in tables.items():
            types = {name: _column_type(rows, index) for index, name in enumerate(columns)}
            self.columns[namespace, table] = types
            affinity = {"NUMBER": "NUMERIC", "STRING": "TEXT"}
            declared = ", ".join(f'"{name}" {affinity[kind]}' for name, kind in types.items())
            connection.execute(f'CREATE TABLE "{namespace}"."{table}" ({declared})')
            self.add(namespace, table, rows)

    def add(self, namespace: str, table: str, rows: list[tuple]) -> None:
        """Rows for a table."""
        marks = ",".join("?" * len(self.columns[namespace, table]))
        sql = f'INSERT INTO "{namespace}"."{table}" VALUES ({marks})'
        with self._lock:
            self._connection.executemany(sql, [[_stored(value) for value in row] for row in rows])

    def select(self, sql: str, values: dict[str, Any]) -> tuple[list[str], list[list]]:
        """The names of the columns, and the rows."""
        with self._lock:
            cursor = self._connection.execute(sql, values)
            return [column[0].upper() for column in cursor.description], [list(row) for row in cursor]

    def close(self) -> None:
        """Let the tables go."""
        self._connection.close()


@lru_cache(maxsize=4)
def _unchanged(world: Any) -> _Database:
    """The tables as they are at first, which all services of a world share: filling them takes long."""
    return _Database(world)


class RestHub:
    """The service: ``handle`` takes a request below the base URL and gives the reply."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self._lock = threading.RLock()
        self._own: _Database | None = None  # once something is added
        self._queries: dict[str, str] = {}
        self._results: dict[tuple, tuple[list[str], list[list]]] = {}

    def close(self) -> None:
        """Let the database go."""
        with self._lock:
            if self._own:
                self._own.close()
                self._own = None

    def expire(self) -> None:
        """Forget all query ids, as the server does after an hour."""
        with self._lock:
            self._queries.clear()
            self._results.clear()

    def add(self, namespace: str, table: str, rows: list[tuple]) -> None:
        """Rows that appear in a table from now on, for those who ask this service."""
        with self._lock:
            if self._own is None:
                self._own = _Database(self.world)
            self._own.add(namespace, table, rows)
            self._results.clear()

    def _database(self) -> _Database:
        return self._own or _unchanged(self.world)

    def handle(self, request: Any) -> Reply:
        """Route one request."""
        parts = request.path.strip("/").split("/")
        try:
            if parts == ["query"] and request.method == "POST":
                return self._post(request.body.decode(errors="replace"))
            if parts[0] == "query" and len(parts) > 1 and request.method == "GET":
                return self._query(parts[1], parts[2:], request)
            if parts[0] == "table" and len(parts) == 3:
                return self._table(parts[1], parts[2])
            if parts == ["tables"]:
                return _json(self._tables())
        except (BadQuery, sqlite3.Error) as error:
            return _plain(400, str(error))
        return _plain(404, "Not Found")

    def _post(self, sql: str) -> Reply:
        tokens = tokens_of(sql)
        check(tokens)
        with self._lock:
            names = {name[1:]: None for name in tokens if name.startswith(":")}
            self._database().select("EXPLAIN " + _executable(tokens), names)
            identifier = hashlib.sha1(sql.encode(), usedforsecurity=False).hexdigest()
            self._queries[identifier] = sql
        return _plain(200, identifier)

    def _query(self, identifier: str, rest: list[str], request: Any) -> Reply:
        sql = self._queries.get(identifier)
        if sql is None:
            return _plain(404 if rest else 400, f"Query not found: {identifier}")
        tokens = tokens_of(sql)
        if not rest:
            return _json(self._describe(sql, tokens, "_verbose" in request.parameters))
        if rest == ["count"]:
            return _plain(200, str(len(self._run(identifier, tokens, request)[1])))
        if rest == ["data"]:
            columns, rows = self._run(identifier, tokens, request)
            return self._data(identifier, columns, rows[:ROWS_LIMIT], request)
        if len(rest) == 4 and rest[0] == "page" and rest[3] == "data":
            if not (rest[1].isdigit() and rest[2].isdigit() and int(rest[2]) >= 1 and int(rest[1]) >= 1):
                raise BadQuery(f"Wrong page: {rest[1]}/{rest[2]}")
            size, page = int(rest[1]), int(rest[2])
            if size > ROWS_LIMIT:
                raise BadQuery(f"Rows per page {size} is above the limit of {ROWS_LIMIT}")
            columns, rows = self._run(identifier, tokens, request)
            if rows and "order" not in [item.lower() for item in _nest(tokens) if isinstance(item, str)]:
                turn = (page - 1) * 3 % len(rows)  # without ORDER BY no page promises to fit the one before
                rows = rows[turn:] + rows[:turn]
            first = max(0, (page - 1) * size - request.shift)
            return self._data(identifier, columns, rows[first : first + size], request)
        return _plain(404, "Not Found")

    def _describe(self, sql: str, tokens: list[str], verbose: bool) -> dict:
        names = {name[1:]: None for name in tokens if name.startswith(":")}
        with self._lock:
            columns, _ = self._database().select(f"SELECT * FROM ({_executable(tokens)}) LIMIT 0", names)
        kinds = {"n__": "NUMBER", "d__": "DATE"}
        answer = {
            "query": sql,
            "parameters": [
                {"name": re.sub(r"^[nd]__", "", name), "type": kinds.get(name[:3], "STRING"), "array": False}
                for name in names
            ],
            "columns": [{"name": name} for name in columns],
        }
        return {**answer, "rowsLimit": ROWS_LIMIT, "hitCount": 0} if verbose else answer

    def _run(self, identifier: str, tokens: list[str], request: Any) -> tuple[list[str], list[list]]:
        values = {}
        for name in dict.fromkeys(token[1:] for token in tokens if token.startswith(":")):
            plain = re.sub(r"^[nd]__", "", name)
            value = request.parameters.get(name, request.parameters.get(plain))
            if value is None:
                raise BadQuery(f"Parameter not defined: {plain}")
            values[name] = _number(value) if name.startswith("n__") else value or None
        key = (identifier, tuple(values.items()))
        with self._lock:
            if key not in self._results:
                self._results[key] = self._database().select(_executable(tokens), values)
            return self._results[key]

    def _data(self, identifier: str, columns: list[str], rows: list[list], request: Any) -> Reply:
        """Rows as JSON; without _inclob, comments (CLOB columns) are links."""
        if "_inclob" not in request.parameters:
            clobs = _clobs(tokens_of(self._queries[identifier]), columns)
            base = f"{request.base_url}/query/{identifier}/lob"
            rows = [
                [f"{base}/{number}/{i}" if i in clobs and value is not None else value for i, value in enumerate(row)]
                for number, row in enumerate(rows)
            ]
        answer: dict[str, Any] = {"data": rows}
        if "_cols" in request.parameters:
            answer["cols"] = columns
        return _json(answer)

    def _table(self, namespace: str, table: str) -> Reply:
        columns = self._database().columns.get((namespace, table))
        if columns is None:
            return _plain(404, f"Table not found: {namespace}.{table}")
        listed = [{"name": name, "type": kind, "metadata": {}} for name, kind in columns.items()]
        return _json({"connection": namespace, "columns": listed, "metadata": {}})

    def _tables(self) -> dict:
        answer: dict[str, dict] = {}
        for namespace, table in self._database().columns:
            answer.setdefault(namespace, {})[table] = {}
        return answer


def _clobs(tokens: list[str], columns: list[str]) -> list[int]:
    """Positions of the CLOB columns: comments, whatever alias they have."""
    level = _nest(tokens)
    words = [item.lower() if isinstance(item, str) else "(" for item in level]
    items = _pieces(level[words.index("select") + 1 : words.index("from")], {","})
    sources = [_text(item) for item in items] if len(items) == len(columns) else columns
    return [index for index, source in enumerate(sources) if "comment" in source.lower()]


def _executable(tokens: list[str]) -> str:
    return " ".join(token for token in tokens if token != ";").replace(" . ", ".")


def _stored(value: Any) -> Any:
    return None if value == "" else value


def _column_type(rows: list[tuple], index: int) -> str:
    values = [row[index] for row in rows if row[index] not in (None, "")]
    return "NUMBER" if values and all(isinstance(value, (int, float)) for value in values) else "STRING"


def _number(text: str) -> float | int:
    try:
        return int(text) if re.fullmatch(r"-?\d+", text) else float(text)
    except ValueError:
        raise BadQuery(f"Not a number: {text}") from None


def _regexp_like(text: str | None, pattern: str) -> bool | None:
    return None if text is None else re.search(pattern, text) is not None


def _plain(status: int, text: str) -> Reply:
    return Reply(status, text.encode(), "text/plain; charset=UTF-8")


def _json(value: Any) -> Reply:
    return Reply(200, json.dumps(value).encode(), "application/json; charset=UTF-8")
