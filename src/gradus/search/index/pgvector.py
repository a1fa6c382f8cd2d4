"""PostgreSQL with pgvector, through psycopg.

An index is a table: `id`, `vector` and a column `f0`, `f1` … per attribute, since PostgreSQL cuts long names; its
schema is the table's comment. Searches without a filter use the HNSW index of pgvector. With a filter they do not,
because pgvector filters what the graph proposed, and a narrow filter then leaves little: PostgreSQL finds the
admitted rows by the attributes' own indexes and computes all of their dot products.
"""

import contextlib
import json
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import psycopg
from psycopg import sql

from gradus.errors import SearchError
from gradus.search.index.filters import Filter, OneOf
from gradus.search.index.index import Documents, Found, Schema, Vectors
from gradus.search.index.served import ServedIndex

_WIDTH_OF_SEARCHING = 128
_WIDEST = 1000
"""The most that pgvector takes for `hnsw.ef_search`; more documents are looked for without its graph."""

_LONGEST_NAME = 50
"""Bytes of a table's name, which leave room for those of its indexes in PostgreSQL's 63."""

_MOST_DIMENSIONS = 2000
"""Longer vectors get no HNSW index from pgvector, and every search computes every dot product."""


class _Connections:
    """Connections to a database, each one thread's for a transaction and then kept for the next one."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: queue.LifoQueue[psycopg.Connection] = queue.LifoQueue()

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection]:
        """A connection for one transaction."""
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = psycopg.connect(self._url)
        try:
            with connection.transaction():
                yield connection
        except psycopg.OperationalError:
            with contextlib.suppress(psycopg.Error):
                connection.close()
            raise
        finally:
            if not connection.closed:
                self._idle.put(connection)

    def close(self) -> None:
        """Close those that nobody uses."""
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return


class PgvectorIndex(ServedIndex[_Connections]):
    """A table; its search is approximate where there is no filter. A change is one transaction."""

    server = "PostgreSQL"
    noun = "table"
    example = "postgresql://localhost/gradus"
    failures = (psycopg.Error,)

    def __init__(self, client: _Connections, name: str, schema: Schema, read_only: bool) -> None:
        super().__init__(client, name, schema, read_only)
        self._table = sql.Identifier(name)
        self._all_columns = [sql.Identifier(column) for column in ("id", "vector", *self._columns.values())]

    @classmethod
    def _connect(cls, url: str) -> _Connections:
        return _Connections(url)

    @classmethod
    def _named(cls, name: str) -> str:
        if len(name.encode()) > _LONGEST_NAME:
            raise SearchError(f"the name {name!r} is too long for a table; use at most {_LONGEST_NAME} bytes")
        return name

    def _exists(self) -> bool:
        return self._comment() is not None

    def _make(self, documents: Documents) -> None:
        with self._client.transaction() as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            self._create_table(connection)
            self._fill(connection, self._table, documents)
            self._create_indexes(connection)

    def _made_with(self) -> Schema:
        return Schema.from_dict(json.loads(self._comment() or "")["gradus"])

    def _drop(self) -> None:
        with self._client.transaction() as connection:
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(self._table))

    def _put(self, documents: Documents) -> None:
        replaced = [sql.SQL("{0} = excluded.{0}").format(column) for column in self._all_columns[1:]]
        with self._client.transaction() as connection:
            connection.execute(
                sql.SQL("CREATE TEMPORARY TABLE put (LIKE {}) ON COMMIT DROP").format(self._table)
            )
            self._fill(connection, sql.Identifier("put"), documents)
            connection.execute(
                sql.SQL(
                    "INSERT INTO {} SELECT * FROM put ORDER BY id ON CONFLICT (id) DO UPDATE SET {}"
                ).format(self._table, sql.SQL(", ").join(replaced))
            )

    def _remove(self, ids: list[str]) -> int:
        with self._client.transaction() as connection:
            statement = sql.SQL("DELETE FROM {} WHERE id = ANY(%s)").format(self._table)
            return int(connection.execute(statement, [ids]).rowcount)

    def _nearest(self, queries: Vectors, k: int, where: Filter) -> list[Found]:
        with self._client.transaction() as connection:
            return [self._nearest_to(connection, query, k, where) for query in queries]

    def _count(self, where: Filter) -> int:
        clause, values = self._clause(where)
        with self._client.transaction() as connection:
            statement = sql.SQL("SELECT count(*) FROM {}{}").format(self._table, clause)
            return int(connection.execute(statement, values).fetchone()[0])

    def _all(self) -> Documents:
        columns = sql.SQL(", ").join(self._all_columns)
        with self._client.transaction() as connection:
            statement = sql.SQL("SELECT {} FROM {} ORDER BY id").format(columns, self._table)
            rows = connection.execute(statement).fetchall()
        vectors = np.array([json.loads(row[1]) for row in rows], np.float32)
        return Documents(
            [row[0] for row in rows],
            vectors.reshape(len(rows), self.schema.dimensions),
            {field: [row[place] for row in rows] for place, field in enumerate(self._columns, 2)},
        )

    def _comment(self) -> str | None:
        """The table's comment, empty for none; `None` where there is no table."""
        statement = (
            "SELECT coalesce(obj_description(oid), '') FROM pg_class "
            "WHERE relname = %s AND relkind = 'r' AND pg_table_is_visible(oid)"
        )
        with self._client.transaction() as connection:
            row = connection.execute(statement, [self.name]).fetchone()
        return None if row is None else str(row[0])

    def _create_table(self, connection: psycopg.Connection) -> None:
        types = {"category": sql.SQL('text COLLATE "C"'), "number": sql.SQL("double precision")}
        columns = [
            sql.SQL("{} {}").format(column, types[kind])
            for column, kind in zip(self._all_columns[2:], self.schema.attributes.values(), strict=True)
        ]
        connection.execute(
            sql.SQL("CREATE TABLE {} ({})").format(
                self._table,
                sql.SQL(", ").join(
                    [
                        sql.SQL('id text COLLATE "C" PRIMARY KEY'),
                        sql.SQL("vector vector({}) NOT NULL").format(sql.Literal(self.schema.dimensions)),
                        *columns,
                    ]
                ),
            )
        )
        about = json.dumps({"gradus": self.schema.as_dict()}, ensure_ascii=False)
        connection.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(self._table, sql.Literal(about)))

    def _create_indexes(self, connection: psycopg.Connection) -> None:
        """After the first documents, which is faster than before them."""
        for column in self._all_columns[2:]:
            connection.execute(sql.SQL("CREATE INDEX ON {} ({})").format(self._table, column))
        if self.schema.dimensions <= _MOST_DIMENSIONS:
            statement = sql.SQL("CREATE INDEX ON {} USING hnsw (vector vector_ip_ops)")
            connection.execute(statement.format(self._table))

    def _fill(self, connection: psycopg.Connection, table: sql.Identifier, documents: Documents) -> None:
        names = sql.SQL(", ").join(self._all_columns)
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(table, names)
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            columns = [documents.attributes[field] for field in self._columns]
            for doc_id, vector, *values in zip(documents.ids, documents.vectors, *columns, strict=True):
                copy.write_row((doc_id, _text(vector), *values))

    def _nearest_to(self, connection: psycopg.Connection, query: Any, k: int, where: Filter) -> Found:
        clause, values = self._clause(where)
        statement = sql.SQL(
            "SELECT id, -(vector <#> %s::vector) FROM {}{} ORDER BY vector <#> %s::vector LIMIT %s"
        )
        given = [_text(query), *values, _text(query), k]
        approximate = not where and k <= _WIDEST
        rows = self._rows(connection, statement.format(self._table, clause), given, approximate, k)
        if approximate and len(rows) < k:
            # The graph may lead past documents that are there.
            rows = self._rows(connection, statement.format(self._table, clause), given, False, k)
        return Found(tuple(row[0] for row in rows), tuple(float(row[1]) for row in rows))

    def _rows(
        self,
        connection: psycopg.Connection,
        statement: sql.Composed,
        given: list[Any],
        approximate: bool,
        k: int,
    ) -> list[Any]:
        width = min(_WIDEST, max(k, _WIDTH_OF_SEARCHING))
        connection.execute(f"SET LOCAL hnsw.ef_search = {width}".encode())
        connection.execute(f"SET LOCAL enable_indexscan = {'on' if approximate else 'off'}".encode())
        return list(connection.execute(statement, given).fetchall())

    def _clause(self, where: Filter) -> tuple[sql.Composable, list[Any]]:
        parts: list[sql.Composable] = []
        values: list[Any] = []
        for field, condition in where.items():
            column = sql.Identifier(self._columns[field])
            if isinstance(condition, OneOf):
                parts.append(sql.SQL("{} = ANY(%s)").format(column))
                values.append(sorted(condition.values))
            else:
                parts.append(sql.SQL("{} BETWEEN %s AND %s").format(column))
                values += [condition.low, condition.high]
        return (sql.SQL(" WHERE ") + sql.SQL(" AND ").join(parts) if parts else sql.SQL("")), values


def _text(vector: Any) -> str:
    """A vector as pgvector reads it, every number to its last bit."""
    return "[" + ",".join(map(repr, vector.tolist())) + "]"
