// Bodies that no client would send: a hostile value, of each kind, at each place of a message.

// As much as a request may hold, less what is put around a value.
const MEGABYTE = 1024 * 1024 - 1024;

const repeated = (text: string, length: number) => text.repeat(Math.floor(length / text.length));
const list = (item: string, length: number) => `[${repeated(`${item},`, length - 4)}${item}]`;
const members = (count: number, value: string) =>
  `{${Array.from({ length: count }, (_, i) => `"k${i}":${value}`).join(",")}}`;
const nestedIn = (open: string, close: string, levels: number) =>
  `${open.repeat(levels)}0${close.repeat(levels)}`;
const text = (content: string) => `"${content}"`;

/** Texts of JSON, or of what is nearly JSON, by kind. Each is made when it is needed: some are a megabyte. */
const valuesOf = (long: number): Record<string, readonly (() => string)[]> => ({
  deep: [
    () => nestedIn("[", "]", 65),
    () => nestedIn("[", "]", 201),
    () => nestedIn("[", "]", 50_000),
    () => nestedIn('{"a":', "}", 65),
    () => nestedIn('{"a":', "}", 150),
    () => nestedIn('{"a":', "}", 201),
    () => nestedIn('{"a":', "}", 50_000),
    () => nestedIn('[{"a":', "}]", 5000),
    () => "[".repeat(long),
    () => '{"a":'.repeat(20_000),
  ],
  long: [
    () => text(repeated("x", 70_000)),
    () => text(repeated("x", long)),
    () => text(repeated("é", long / 2)),
    () => text(repeated("🙂", long / 4)),
    () => text(repeated(String.raw`\\`, long)),
    () => text(repeated(String.raw`\"`, long)),
    () => text(repeated(String.raw`\u0041`, long)),
    () => `{${text(repeated("k", 100_000))}:1}`,
    () => `{"name":${text(repeated("n", 20_000))},"version":"1"}`,
    () => `"x"${repeated(" ", long)}`,
    () => text(repeated("x", long * 1.5)),
  ],
  wide: [
    () => list("0", long),
    () => list("[]", long),
    () => list("{}", long),
    () => list('""', long),
    () => list('{"a":{}}', long),
    () => members(long / 17, "0"),
    () => members(2000, '{"a":[]}'),
    () => members(800, '"x"'),
    () => list("[0,[0,[0]]]", long),
    () => list('{"jsonrpc":"2.0","method":"ping"}', 10_000),
  ],
  wrong: [
    () => "",
    () => "{",
    () => "nul",
    () => "[1,]",
    () => '{"a":1,}',
    () => "{'a':1}",
    () => "/* x */ 1",
    () => "undefined",
    () => "NaN",
    () => text(String.raw`\x`),
    () => text(String.raw`\u12`),
    () => text("\n"),
    () => '"never closed',
    () => "1 2",
    () => "]]]]",
    () => '}{"a":1',
    () => "\ufeff1",
    () => `${list("0", 1000)}]`,
  ],
  shape: [
    () => "null",
    () => "true",
    () => "[]",
    () => "{}",
    () => '""',
    () => "[[]]",
    () => '[{"method":"initialize"}]',
    () => '{"name":{},"version":[]}',
    () => '{"method":"initialize","params":{}}',
    () => '{"jsonrpc":"2.0","id":1,"result":{}}',
  ],
  proto: [
    () => '{"__proto__":{"isAdmin":true}}',
    () => '{"__proto__":null,"name":"x","version":"1"}',
    () => '{"constructor":{"prototype":{"x":1}}}',
    () => '{"toString":1,"valueOf":2,"hasOwnProperty":3,"toJSON":4,"then":5}',
    () => '"__proto__"',
    () => '{"a":{"__proto__":{"__proto__":[]}}}',
    () => '["__proto__","constructor"]',
  ],
  nul: [
    () => text(String.raw`\u0000`),
    () => text(`a\0b`),
    () => String.raw`{"a\u0000b":1}`,
    () => String.raw`{"name":"\u0000","version":"\u0000"}`,
    () => String.raw`["\\u0000","\\\u0000"]`,
    () => "\0",
  ],
  surrogates: [
    () => text(String.raw`\ud800`),
    () => text(String.raw`\udc00`),
    () => text(String.raw`\udc00\ud800`),
    () => String.raw`{"\ud800":1}`,
    () => String.raw`{"name":"x\ud83d","version":"\ude42"}`,
    () => text("\u{1f642}\u2028\u2029\ufffe\uffff"),
  ],
  numbers: [
    () => "1e400",
    () => "-1e400",
    () => "1e-400",
    () => "-0",
    () => "9007199254740993",
    () => "-9223372036854775809",
    () => "0.1e1",
    () => "1E+5",
    () => "00",
    () => "0x10",
    () => "+1",
    () => ".5",
    () => "Infinity",
    () => "9".repeat(400),
    () => `0.${repeated("0", 100_000)}1`,
    () => repeated("9", long),
    () => '{"a":1e308,"b":5e-324,"c":1e21}',
  ],
  repeated: [
    () => '{"name":"a","name":"b","version":"1"}',
    () => `{${Array(20_000).fill('"a":1').join(",")}}`,
    () => '{"method":"ping","method":"initialize"}',
    () => String.raw`{"\u006dethod":"initialize"}`,
  ],
});

const initialize = (rest: string) =>
  `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",${rest}}}`;
const info = '{"name":"x","version":"1"}';
const call = (rest: string) => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{${rest}}}`;

/** Where a value can stand. */
const places: Record<string, (value: string) => string> = {
  body: (value) => value,
  "message of a batch": (value) => `[{"jsonrpc":"2.0","method":"ping"},${value}]`,
  jsonrpc: (value) => `{"jsonrpc":${value},"id":1,"method":"ping"}`,
  id: (value) => `{"jsonrpc":"2.0","id":${value},"method":"ping"}`,
  method: (value) => `{"jsonrpc":"2.0","id":1,"method":${value}}`,
  params: (value) => `{"jsonrpc":"2.0","id":1,"method":"initialize","params":${value}}`,
  protocolVersion: (value) =>
    `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":${value},"clientInfo":${info},"capabilities":{}}}`,
  clientInfo: (value) => initialize(`"clientInfo":${value},"capabilities":{}`),
  "name of clientInfo": (value) =>
    initialize(`"clientInfo":{"name":${value},"version":"1"},"capabilities":{}`),
  "member of clientInfo": (value) =>
    initialize(`"clientInfo":{"name":"x","version":"1","more":${value}},"capabilities":{}`),
  capabilities: (value) => initialize(`"clientInfo":${info},"capabilities":${value}`),
  "member of capabilities": (value) =>
    initialize(`"clientInfo":${info},"capabilities":{"experimental":{"x":${value}}}`),
  "params before method": (value) =>
    String.raw`{"params":{"clientInfo":${value}},"id":1,"jsonrpc":"2.0","m\u0065thod":"initialize"}`,
  "initialize in a batch": (value) => `[${initialize(`"clientInfo":${value},"capabilities":{}`)}]`,
  "name of a tool": (value) => call(`"name":${value},"arguments":{}`),
  arguments: (value) => call(`"name":"session_state_set","arguments":${value}`),
  "value of state": (value) => call(`"name":"session_state_set","arguments":{"key":"k","value":${value}}`),
  "key of state": (value) => call(`"name":"session_state_get","arguments":{"key":${value}}`),
  level: (value) => `{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":${value}}}`,
  meta: (value) => call(`"name":"session_info","arguments":{},"_meta":${value}`),
  "meta of 2026-07-28": (value) =>
    call(
      `"name":"session_info","arguments":{},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":${value},"io.modelcontextprotocol/clientCapabilities":${value}}`,
    ),
  notification: (value) =>
    `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${value},"reason":${value}}}`,
  response: (value) => `{"jsonrpc":"2.0","id":${value},"result":${value}}`,
  "other member": (value) => `{"jsonrpc":"2.0","id":1,"method":"ping","other":${value}}`,
};

export const hostileKinds = Object.keys(valuesOf(0));

export interface HostileBody {
  kind: string;
  place: string;
  /** Which of its kind, from 0. */
  variant: number;
  text: () => string;
}

/** Every value at every place. @param long how many bytes the long ones have. */
export function hostileBodies(long = MEGABYTE): HostileBody[] {
  return Object.entries(valuesOf(long)).flatMap(([kind, variants]) =>
    variants.flatMap((value, variant) =>
      Object.entries(places).map(([place, put]) => ({ kind, place, variant, text: () => put(value()) })),
    ),
  );
}
