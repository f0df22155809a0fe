// A certificate for a PostgreSQL on this machine, signed by itself. Written out in DER, because Node makes none.
import { generateKeyPairSync, sign } from "node:crypto";

const value = (tag: number, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  const { length } = body;
  // X.690 §8.1.3: one byte below 128, else the number of bytes and the bytes.
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), body]);
};
const sequence = (...parts: Buffer[]) => value(0x30, ...parts);
const oid = (hex: string) => value(0x06, Buffer.from(hex, "hex"));
const integer = (number: number) => value(0x02, Buffer.from([number]));
const time = (text: string) => value(0x17, Buffer.from(text));

// 1.2.840.10045.4.3.2, ecdsa-with-SHA256
const ALGORITHM = sequence(oid("2a8648ce3d040302"));

/** For localhost and 127.0.0.1, as PEM. */
export function selfSigned(): { cert: string; key: string } {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const name = sequence(value(0x31, sequence(oid("550403"), value(0x0c, Buffer.from("mcp-sessions test")))));
  const names = sequence(value(0x82, Buffer.from("localhost")), value(0x87, Buffer.from([127, 0, 0, 1])));
  const isAuthority = sequence(value(0x01, Buffer.from([0xff])));
  const body = sequence(
    value(0xa0, integer(2)),
    integer(1),
    ALGORITHM,
    name,
    sequence(time("200101000000Z"), time("491231235959Z")),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    value(
      0xa3,
      sequence(
        sequence(oid("551d11"), value(0x04, names)),
        sequence(oid("551d13"), value(0x04, isAuthority)),
      ),
    ),
  );
  const signature = value(0x03, Buffer.from([0]), sign("sha256", body, privateKey));
  const der = sequence(body, ALGORITHM, signature).toString("base64");
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${der.replaceAll(/.{64}/g, "$&\n")}\n-----END CERTIFICATE-----\n`,
    key: String(privateKey.export({ type: "pkcs8", format: "pem" })),
  };
}
