import { expect, test } from "vitest";
import { wordsOf } from "./redis-words.ts";

test.each([
  ["GET user:101", ["GET", "user:101"]],
  ['  SET  greeting "hello\\n\\"you\\"" ', ["SET", "greeting", 'hello\n"you"']],
  [`SET user:1 '{"name": "Riya"}'`, ["SET", "user:1", '{"name": "Riya"}']],
  ['SET empty ""', ["SET", "empty", ""]],
])("%s", (statement, words) => {
  expect(wordsOf(statement)).toEqual(words);
});

test.each(["", '"open', "a'b c", 'GET "a"b'])("%j is refused", (statement) => {
  expect(() => wordsOf(statement)).toThrow();
});
