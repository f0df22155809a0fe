// The id of a task, and the keys of its questions.
import { expect, test } from "vitest";
import {
  createTaskId,
  isQuestionKey,
  isTaskId,
  keyOfTask,
  LOST_ERROR,
  nameOfQuestion,
  nameOfTask,
  questionKey,
} from "../../src/tasks/task.ts";

test("a new id is one of its own, and has a key and a name", async () => {
  const [one, other] = [createTaskId(), createTaskId()];
  expect(one).not.toBe(other);
  expect([one, `${one}A`, ""].map(isTaskId)).toEqual([true, false, false]);
  expect(await keyOfTask("abc")).toMatch(/^ba7816bf[0-9a-f]{56}$/);
  expect(nameOfTask(await keyOfTask("abc"))).toBe("ba7816bf");
});

test.each(["", "name", "a.b", "1.2", "Größe?", "a/b c", "it's (~*!)", "🦊"])(
  "the question %j has a key, and comes back from it",
  (name) => {
    const key = questionKey(12, name);
    expect(key).toMatch(/^12\./);
    expect(isQuestionKey(key)).toBe(true);
    expect(nameOfQuestion(key)).toBe(name);
    expect(questionKey(13, name)).not.toBe(key);
  },
);

test("half a character in the name of a question becomes the sign of one that is unknown", () => {
  expect(nameOfQuestion(questionKey(1, "a\ud800"))).toBe("a\ufffd");
});

test.each([
  "",
  "name",
  ".name",
  "a.name",
  "-1.name",
  "x1.name",
  "12345678901.name",
  "1.na me",
  "1.näme",
  "1.a\n",
])("%j is the key of no question", (key) => {
  expect(isQuestionKey(key)).toBe(false);
});

test("a task that is lost ends with an internal error of JSON-RPC", () => {
  expect(LOST_ERROR).toEqual({ code: -32603, message: expect.stringContaining("lost") });
});
