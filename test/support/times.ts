// Times that another program may have put into a row.
/** Times that PostgreSQL can hold, and what is shown of each. */
export const times: readonly (readonly [string | null, string | null])[] = [
  [null, null],
  ["infinity", null],
  ["-infinity", null],
  ["4713-11-24 00:00:00 BC", null],
  ["0044-03-15 12:00:00 BC", null],
  ["0001-12-31 23:59:59.999999+00 BC", null],
  ["0001-01-01 00:00:00+00", "0001-01-01T00:00:00.000Z"],
  ["1969-12-31 23:59:59.999999+00", "1969-12-31T23:59:59.999Z"],
  ["2025-11-25 12:00:00.123456+05:45", "2025-11-25T06:15:00.123Z"],
  ["9999-12-31 23:59:59.999999+00", "9999-12-31T23:59:59.999Z"],
  // Python's datetime.max in New York.
  ["9999-12-31 23:59:59.999999-05", null],
  ["10000-01-01 00:00:00+00", null],
  ["275761-01-01 00:00:00+00", null],
  ["294276-12-31 23:59:59.999999+00", null],
];
