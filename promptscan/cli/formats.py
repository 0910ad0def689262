"""Tables as JSON, JSON Lines, CSV, Arrow and Parquet, written as a stream of record batches.

JSON is pure ASCII: control and bidi characters leave as escapes, so the raw text survives and no terminal sees it. CSV is
for people and goes through `csv_cell`. Arrow and Parquet hold the raw data.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from math import isfinite
from typing import TYPE_CHECKING, Any, BinaryIO

from promptscan.vis import csv_cell, iso

if TYPE_CHECKING:
    import pyarrow as pa


class Format(StrEnum):
    """How a result is written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    ARROW = "arrow"
    PARQUET = "parquet"


def jsonable(value: object) -> Any:
    """Return `value` as JSON can hold it: times ISO 8601 with Z, NaN and infinities null, bytes as hex."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if isfinite(value) else None
        case datetime():
            return iso(value)
        case date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Decimal():
            return _number(value)
        case bytes():
            return value.hex()
        case Mapping():
            return {str(key): jsonable(one) for key, one in value.items()}
        case list() | tuple():
            return [jsonable(one) for one in value]
        case _:
            return str(value)


def _number(value: Decimal) -> int | float | None:
    if not value.is_finite():
        return None
    return int(value) if value == value.to_integral_value() else float(value)


def rows(reader: pa.RecordBatchReader) -> Iterator[dict[str, Any]]:
    """Yield every row as Python values; nanoseconds, which Python's times do not have, are cut to microseconds."""
    import pyarrow as pa

    fields = [
        field.with_type(pa.timestamp("us", field.type.tz)) if pa.types.is_timestamp(field.type) else field
        for field in reader.schema
    ]
    schema = pa.schema(fields)
    for batch in reader:
        yield from batch.cast(schema, safe=False).to_pylist()


def write(reader: pa.RecordBatchReader, stream: BinaryIO, form: Format) -> None:
    """Write every row of `reader` to `stream` in one of the formats of this module."""
    _WRITERS[form](reader, stream)


def write_document(document: object, stream: BinaryIO) -> None:
    """Write one JSON document, indented, ASCII only."""
    text = json.dumps(jsonable(document), ensure_ascii=True, indent=2, allow_nan=False)
    stream.write(text.encode("ascii") + b"\n")


def _write_json(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    """Write `{"rows": [...]}`, one row a line, without holding all rows."""
    stream.write(b'{"rows": [')
    separator = b"\n  "
    for row in rows(reader):
        stream.write(separator + _json_line(row))
        separator = b",\n  "
    stream.write(b"\n]}\n")


def _write_jsonl(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    stream.writelines(_json_line(row) + b"\n" for row in rows(reader))


def _json_line(row: Mapping[str, object]) -> bytes:
    return json.dumps(jsonable(row), ensure_ascii=True, allow_nan=False).encode("ascii")


def _write_csv(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    try:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([csv_cell(name) for name in reader.schema.names])
        writer.writerows([_csv_field(one) for one in row.values()] for row in rows(reader))
    finally:
        text.detach()  # the stream stays open: it is the caller's


def _csv_field(value: object) -> str:
    nested = isinstance(value, Mapping | list | tuple | Decimal | bytes)
    plain = jsonable(value) if nested else value
    return csv_cell(json.dumps(plain, ensure_ascii=False) if isinstance(plain, dict | list) else plain)


def _write_arrow(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    import pyarrow as pa

    with pa.ipc.new_stream(stream, reader.schema) as sink:
        for batch in reader:
            sink.write_batch(batch)


def _write_parquet(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(stream, reader.schema, compression="zstd") as sink:
        for batch in reader:
            sink.write_batch(batch)


_WRITERS: dict[Format, Callable[[pa.RecordBatchReader, BinaryIO], None]] = {
    Format.JSON: _write_json,
    Format.JSONL: _write_jsonl,
    Format.CSV: _write_csv,
    Format.ARROW: _write_arrow,
    Format.PARQUET: _write_parquet,
}
