"""PostgreSQL with pgvector, through psycopg.

An index is a table: `id`, `vector` and a column `f0`, `f1` … per attribute, since PostgreSQL cuts long names; its
schema is the table's comment. Searches without a filter use the HNSW index of pgvector. With a filter they do not,
because pgvector filters what the graph proposed, and a narrow filter then leaves little: PostgreSQL finds the
admitted rows by the attributes' own indexes and computes all of their dot products.
"""

import contextlib
import json
import queue
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import psycopg
from psycopg import sql

from gradus.errors import SearchError
from gradus.search.index.checks import (
    admits_none,
    checked_documents,
    checked_filter,
    checked_ids,
    checked_queries,
)
from gradus.search.index.filters import Filter, OneOf
from gradus.search.index.index import Documents, Found, Schema, Vectors
from gradus.search.index.served import ServedIndex, url_and_name

_WIDTH_OF_SEARCHING = 128
_WIDEST = 1000
"""The most that pgvector takes for `hnsw.ef_search`; more documents are looked for without its graph."""

_LONGEST_NAME = 50
"""Bytes of a table's name, which leave room for those of its indexes in PostgreSQL's 63."""

_MOST_DIMENSIONS = 2000
"""Longer vectors get no HNSW index from pgvector, and every search computes every dot product."""


class PgvectorIndex(ServedIndex):
    """A table."""

    def __init__(self, url: str, name: str, schema: Schema, read_only: bool) -> None:
        super().__init__(name, read_only)
        self.schema = schema
        self._url = url
        self._idle: queue.LifoQueue[psycopg.Connection] = queue.LifoQueue()
        self._table = sql.Identifier(name)
        self._columns = {field: sql.Identifier(f"f{place}") for place, field in enumerate(schema.attributes)}

    @classmethod
    def create(cls, location: str, schema: Schema, documents: Documents) -> Self:
        """A new table at `URL#NAME`, the URL as in `postgresql://user@host/database`."""
        documents = checked_documents(schema, documents)
        url, name = _place(location)
        index = cls(url, name, schema, read_only=False)
        with index._connection() as connection:
            if _comment(connection, name) is not None:
                raise SearchError(f"PostgreSQL has a table {name!r} already; choose another name")
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            index._create_table(connection)
            index._fill(connection, index._table, documents)
            index._create_indexes(connection)
        return index

    @classmethod
    def open(cls, location: str, read_only: bool = False) -> Self:
        """A table that `create` made."""
        url, name = _place(location)
        index = cls(url, name, Schema(0), read_only)
        with index._connection() as connection:
            comment = _comment(connection, name)
        if comment is None:
            raise SearchError(f"PostgreSQL has no table {name!r}; build the index anew")
        try:
            schema = Schema.from_dict(json.loads(comment)["gradus"])
        except (ValueError, KeyError, TypeError):
            raise SearchError(
                f"the table {name!r} was not made by Gradus; build an index of another name"
            ) from None
        index.close()
        return cls(url, name, schema, read_only)

    @classmethod
    def drop(cls, location: str) -> None:
        """Remove a table, if it is there."""
        url, name = _place(location)
        with cls(url, name, Schema(0), read_only=False) as index, index._connection() as connection:
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(index._table))

    def upsert(self, documents: Documents) -> None:
        """See `Index`; one transaction."""
        self._require_writable()
        documents = checked_documents(self.schema, documents)
        names = [sql.Identifier("vector"), *self._columns.values()]
        with self._connection() as connection:
            connection.execute(
                sql.SQL("CREATE TEMPORARY TABLE put (LIKE {}) ON COMMIT DROP").format(self._table)
            )
            self._fill(connection, sql.Identifier("put"), documents)
            connection.execute(
                sql.SQL(
                    "INSERT INTO {} SELECT * FROM put ORDER BY id ON CONFLICT (id) DO UPDATE SET {}"
                ).format(
                    self._table,
                    sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(name) for name in names),
                )
            )

    def delete(self, ids: Sequence[str]) -> int:
        """See `Index`."""
        self._require_writable()
        with self._connection() as connection:
            statement = sql.SQL("DELETE FROM {} WHERE id = ANY(%s)").format(self._table)
            return int(connection.execute(statement, [checked_ids(ids)]).rowcount)

    def search(self, queries: Vectors, k: int, where: Filter | None = None) -> list[Found]:
        """See `Index`; approximate where there is no filter."""
        queries = checked_queries(self.schema, queries, k)
        condition = checked_filter(self.schema, where)
        if admits_none(condition):
            return [Found((), ()) for _ in queries]
        with self._connection() as connection:
            return [self._nearest(connection, query, k, condition) for query in queries]

    def count(self, where: Filter | None = None) -> int:
        """See `Index`."""
        clause, values = self._clause(checked_filter(self.schema, where))
        with self._connection() as connection:
            statement = sql.SQL("SELECT count(*) FROM {}{}").format(self._table, clause)
            row = connection.execute(statement, values).fetchone()
        return int(row[0]) if row else 0

    def documents(self) -> Documents:
        """See `Index`."""
        columns = sql.SQL(", ").join(
            [sql.Identifier("id"), sql.Identifier("vector"), *self._columns.values()]
        )
        with self._connection() as connection:
            statement = sql.SQL("SELECT {} FROM {} ORDER BY id").format(columns, self._table)
            rows = connection.execute(statement).fetchall()
        vectors = np.array([json.loads(row[1]) for row in rows], np.float32)
        return Documents(
            [row[0] for row in rows],
            vectors.reshape(len(rows), self.schema.dimensions),
            {field: [row[place] for row in rows] for place, field in enumerate(self._columns, 2)},
        )

    def close(self) -> None:
        """See `Index`."""
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return

    def _create_table(self, connection: psycopg.Connection) -> None:
        types = {"category": sql.SQL('text COLLATE "C"'), "number": sql.SQL("double precision")}
        columns = [
            sql.SQL("{} {}").format(self._columns[field], types[kind])
            for field, kind in self.schema.attributes.items()
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
        for column in self._columns.values():
            connection.execute(sql.SQL("CREATE INDEX ON {} ({})").format(self._table, column))
        if self.schema.dimensions <= _MOST_DIMENSIONS:
            statement = sql.SQL("CREATE INDEX ON {} USING hnsw (vector vector_ip_ops)")
            connection.execute(statement.format(self._table))

    def _fill(self, connection: psycopg.Connection, table: sql.Identifier, documents: Documents) -> None:
        names = [sql.Identifier("id"), sql.Identifier("vector"), *self._columns.values()]
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(table, sql.SQL(", ").join(names))
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            columns = [documents.attributes[field] for field in self._columns]
            for doc_id, vector, *values in zip(documents.ids, documents.vectors, *columns, strict=True):
                copy.write_row((doc_id, _text(vector), *values))

    def _nearest(self, connection: psycopg.Connection, query: Any, k: int, where: Filter) -> Found:
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
            column = self._columns[field]
            if isinstance(condition, OneOf):
                parts.append(sql.SQL("{} = ANY(%s)").format(column))
                values.append(sorted(condition.values))
            else:
                parts.append(sql.SQL("{} BETWEEN %s AND %s").format(column))
                values += [condition.low, condition.high]
        return (sql.SQL(" WHERE ") + sql.SQL(" AND ").join(parts) if parts else sql.SQL("")), values

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection]:
        """A connection of this thread's for one transaction; it is kept for the next one."""
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            try:
                connection = psycopg.connect(self._url)
            except psycopg.Error as error:
                raise SearchError(f"PostgreSQL cannot be reached: {str(error).strip()[:300]}") from None
        try:
            with connection.transaction():
                yield connection
        except psycopg.OperationalError as error:
            with contextlib.suppress(psycopg.Error):
                connection.close()
            raise SearchError(f"PostgreSQL does not answer: {str(error).strip()[:300]}") from None
        except psycopg.Error as error:
            raise SearchError(f"PostgreSQL refuses: {str(error).strip()[:300]}") from None
        finally:
            if not connection.closed:
                self._idle.put(connection)


def _place(location: str) -> tuple[str, str]:
    url, name = url_and_name(location, "postgresql://localhost/gradus")
    if len(name.encode()) > _LONGEST_NAME:
        raise SearchError(f"the name {name!r} is too long for a table; use at most {_LONGEST_NAME} bytes")
    return url, name


def _comment(connection: psycopg.Connection, name: str) -> str | None:
    """The comment of a table, empty for none; `None` where there is no table."""
    statement = (
        "SELECT coalesce(obj_description(oid), '') FROM pg_class "
        "WHERE relname = %s AND relkind = 'r' AND pg_table_is_visible(oid)"
    )
    row = connection.execute(statement, [name]).fetchone()
    return None if row is None else str(row[0])


def _text(vector: Any) -> str:
    """A vector as pgvector reads it, every number to its last bit."""
    return "[" + ",".join(map(repr, vector.tolist())) + "]"
