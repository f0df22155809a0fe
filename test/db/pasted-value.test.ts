// What editors, shells and copy buttons put around a connection string comes off, and nothing else does.
import { expect, test } from "vitest";
import { unwrapped } from "../../src/db/pasted-value.ts";

const URL = "postgresql://role:a,b;c@host/db";
const left = (texts: string[]) => texts.map((text) => [text, unwrapped(text)]);

test("what stands before it or around it comes off", () => {
  const forms = [
    "X=|X = |x_1  =\t|_=|DATABASE_URL:|DATABASE_URL: ",
    "export X=|export  X = |set X=|setx X=|$env:X=|$env:X = |Export x=",
    "psql |psql  |psql.exe |psql -d |psql -d|psql -d=|psql --dbname=|PSQL --dbname  ",
    "X=psql |export X=psql -d | |\n|\ufeff|\u200b\u2060|\u00a0\r\n",
  ].flatMap((line) => line.split("|"));
  const shorter = URL.replace("postgresql", "postgres");
  for (const url of [URL, shorter]) {
    const quoted = ['"', "'", "`"].map((mark) => `${mark}${url}${mark}`);
    const foreign = [`“${url}”`, `„${url}“`, `”${url}”`, `‘${url}’`, `‚${url}‘`];
    for (const inner of [url, ...quoted, ...foreign]) {
      const texts = forms.map((form) => form + inner);
      expect(left(texts)).toEqual(texts.map((text) => [text, url]));
    }
    const around = ["«»", "<>", "‟”", "‛’"].map(([first = "", last = ""]) => `${first}${url}${last}`);
    const after = ["\n", "\\n", "\\r\\n", " \t", "\u00a0", "\\n\n"].map((end) => url + end);
    const ofCode = [`"${url}",`, `'${url}';`, ` "'${url}'" `];
    const texts = [...around, ...after, ...ofCode];
    expect(left(texts)).toEqual(texts.map((text) => [text, url]));
  }
});

test("what is no such thing stays", () => {
  const others = [
    '|"|<|X=5|X=mysql://a|psql|psql -h host db|postgresql|X=postgres',
    "xpsql U|a-b=U|1=U|exports X=U|export U|setx X U|psqlx U|nU|X==U|X=(U",
    `"U|U"|<U|U>|"U'|“U»|>U<|U,|U;|"U",,|\\nU|"U" ;`,
  ].flatMap((line) => line.split("|").map((text) => text.replace("U", URL)));
  expect(left(others)).toEqual(others.map((text) => [text, text]));
  expect([unwrapped('""'), unwrapped("<>"), unwrapped("\\n"), unwrapped(" ")]).toEqual(["", "", "", ""]);
});
