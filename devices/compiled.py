"""Queries of which Django makes the SQL once, and not at each use: a turn asks the same ones each time.

To build and compile a query takes Django longer than a database takes to answer a small one. What changes between two
uses is either a value that is `Given` when the query runs, or an argument of the function that builds it, which is
compiled once for each: a number of keys, a limit. The one piece of its kind: the apps above use it as well.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from django.db import connection
from django.db.models import Expression, Field, Model, QuerySet
from django.db.models.query import ModelIterable, get_related_populators
from django.db.models.sql import UpdateQuery

KEPT: Final = 64  # compiled texts of each query, at the most: for so many different arguments


class Given(Expression):
    """A value that is named when the query runs. `field` says how it is written for the database."""

    def __init__(self, name: str, field: Field[Any, Any]) -> None:
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return "%s", [self]


def given(count: int, field: Field[Any, Any], name: str = "") -> list[Any]:
    """For `…__in`: so many values, which `padded` gives their names."""
    return [Given(f"{name}_{number}", field) for number in range(count)]


def places(keys: Collection[Any]) -> int:
    """How many places a query has that is to take these: few different numbers, so that few texts are compiled."""
    count = len(keys)
    if count < 16:
        return 1 << (count - 1).bit_length() if count else 0
    step = 1 << (count.bit_length() - 4)  # an eighth at the most stays empty
    return -(-count // step) * step


def padded(keys: Collection[Any], name: str = "") -> dict[str, Any]:
    """The keys for all places; the last one fills those that are left, which changes no answer."""
    values = list(keys)
    values += values[-1:] * (places(keys) - len(values))
    return {f"{name}_{number}": value for number, value in enumerate(values)}


@dataclass(frozen=True, slots=True)
class _Objects:
    """How rows become a model's objects, as Django's own iterator does it."""

    model: type[Model]
    columns: Sequence[str]
    first: int
    populators: Sequence[Any]
    annotations: Mapping[str, int]

    def read(self, rows: Iterable[Sequence[Any]]) -> list[Any]:
        found, end = [], self.first + len(self.columns)
        for row in rows:
            made = self.model.from_db(connection.alias, self.columns, row[self.first : end])
            for populator in self.populators:
                populator.populate(row, made)
            for name, position in self.annotations.items():
                setattr(made, name, row[position])
            found.append(made)
        return found


@dataclass(frozen=True, slots=True)
class _Text:
    """A compiled query. converters: by column, what Django's backend and fields make of what the database gives."""

    sql: str
    params: Sequence[Any]
    converters: Sequence[tuple[int, Sequence[Callable[..., Any]], Any]] = ()
    objects: _Objects | None = None

    def values(self, named: Mapping[str, Any]) -> list[Any]:
        return [
            param.output_field.get_db_prep_value(named[param.name], connection) if isinstance(param, Given) else param
            for param in self.params
        ]

    def rows(self, named: Mapping[str, Any]) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(self.sql, self.values(named))
            rows: list[Any] = cursor.fetchall()
        if self.objects is None:
            return self._converted(rows, shared=True)
        return self.objects.read(self._converted(rows, shared=False))

    def _converted(self, rows: list[Any], *, shared: bool) -> list[Any]:
        """Column by column, which is quicker than row by row. Nothing is made of NULL, as no converter does.

        shared: equal values become one object, so that hundreds of drives' formats are parsed once. Who reads plain
        columns changes nothing in them; a model's object has its own.
        """
        if not self.converters or not rows:
            return rows
        columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
        for position, converters, expression in self.converters:
            values = columns[position]
            different = list(set(values)) if shared else values
            if len(different) * 2 < len(values):
                made = dict(zip(different, _made_of(different, converters, expression), strict=True))
                columns[position] = [made[value] for value in values]
            else:
                columns[position] = _made_of(values, converters, expression)
        return list(zip(*columns, strict=True))


def _made_of(values: Sequence[Any], converters: Sequence[Callable[..., Any]], expression: Any) -> Sequence[Any]:
    for convert in converters:
        values = [None if value is None else convert(value, expression, connection) for value in values]
    return values


class Compiled:
    """A query, called with the arguments of the function that builds it and with its `Given` values by name.

    Gives a list: of objects, or of rows where `values_list` was asked for. Where the function gives several queries of
    the same columns, they are asked at once; Django can't do so on every database where they are ordered or cut off.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Any] | Sequence[QuerySet[Any, Any]]]) -> None:
        self._build = build
        self._text = lru_cache(maxsize=KEPT)(self._compile)

    def __call__(self, *arguments: Any, **named: Any) -> list[Any]:
        return self._text(connection.vendor, *arguments).rows(named)

    def of(self, keys: Collection[Any], **named: Any) -> list[Any]:
        """For a query whose function takes the number of keys; without any, nothing is asked."""
        return self(places(keys), **padded(keys), **named) if keys else []

    def _compile(self, vendor: str, *arguments: Any) -> _Text:
        built = self._build(*arguments)
        parts = [built] if isinstance(built, QuerySet) else built
        compilers: list[Any] = [part.query.get_compiler(connection=connection) for part in parts]
        texts = [compiler.as_sql() for compiler in compilers]
        sql, params = texts[0] if len(texts) == 1 else _united(texts)
        compiler = compilers[0]
        chosen = [column for column, *_ in compiler.select]
        converters = [
            (position, made, expression)
            for position, (made, expression) in compiler.get_converters(chosen).items()
        ]  # fmt: skip
        objects = _objects_of(compiler) if parts[0]._iterable_class is ModelIterable else None
        return _Text(sql, params, converters, objects)


class CompiledUpdate:
    """An update: the function gives the rows and their new values. Called, it says how many rows it changed."""

    def __init__(self, build: Callable[..., tuple[QuerySet[Any, Any], Mapping[str, Any]]]) -> None:
        self._build = build
        self._text = lru_cache(maxsize=KEPT)(self._compile)

    def __call__(self, *arguments: Any, **named: Any) -> int:
        text = self._text(connection.vendor, *arguments)
        with connection.cursor() as cursor:
            cursor.execute(text.sql, text.values(named))
            return int(cursor.rowcount)

    def _compile(self, vendor: str, *arguments: Any) -> _Text:
        rows, values = self._build(*arguments)
        query: Any = rows.query.chain(UpdateQuery)
        query.add_update_values(values)
        sql, params = query.get_compiler(connection=connection).as_sql()
        return _Text(sql, params)


def _united(texts: Sequence[tuple[str, Sequence[Any]]]) -> tuple[str, list[Any]]:
    sql = " UNION ALL ".join(f"SELECT * FROM ({sql}) part_{number}" for number, (sql, _) in enumerate(texts))  # noqa: S608 -- Django's own texts
    return sql, [param for _, params in texts for param in params]


def _objects_of(compiler: Any) -> _Objects:
    info, select = compiler.klass_info, compiler.select
    first, last = info["select_fields"][0], info["select_fields"][-1]
    columns = [column.target.attname for column, *_ in select[first : last + 1]]
    populators = get_related_populators(info, select, connection.alias)  # type: ignore[call-arg]  # stubs of a later Django
    return _Objects(info["model"], columns, first, populators, compiler.annotation_col_map or {})
