// KV for the library, which makes keys of what a client sends. KV fails for a key of more than 512 bytes; here there is no such
// record, and the client is told that it is unknown.

const MAX_KEY_BYTES = 512;

export function recordsOf(kv: KVNamespace): KVNamespace {
  const get = async (key: string, options: KVNamespaceGetOptions<"json">) =>
    new TextEncoder().encode(key).length > MAX_KEY_BYTES ? null : kv.get(key, options);
  return new Proxy(kv, {
    get: (_, name) => {
      if (name === "get") return get;
      const value: unknown = Reflect.get(kv, name);
      return typeof value === "function" ? value.bind(kv) : value;
    },
  });
}
