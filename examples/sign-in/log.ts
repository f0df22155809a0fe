// One line of JSON an event. Neither a key nor a code, a token, a state or what a client calls itself gets here.

export function log(
  event: "allowed" | "denied" | "wrong key" | "too many" | "refused" | "failed",
  fields: Readonly<Record<string, string | number>>,
): void {
  console.log(JSON.stringify({ message: `Sign-in: ${event}`, ...fields }));
}
