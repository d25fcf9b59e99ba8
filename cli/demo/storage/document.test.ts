import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { questions } from "./storage.ts";

const document = readFileSync(join(import.meta.dirname, "../../../docs/storage-models.md"), "utf8");
const [, measured = ""] = document.split("## What was measured");

test("the document asks the questions that the demonstration asks, in the same order", () => {
  const headings = [...measured.matchAll(/^### [^:]+: (.*)$/gm)].map(([, text]) => text);
  expect(headings).toEqual(questions.map(({ text }) => `${text[0]?.toLowerCase()}${text.slice(1)}`));
});

test("the document shows the statements that the demonstration runs, and no others", () => {
  const blocks = [...measured.matchAll(/^```\w+\n(.*?)\n```$/gms)].map(([, statement]) => statement);
  expect(blocks).toEqual(
    questions.flatMap(({ asks }) => Object.values(asks).map(({ statement }) => statement.trim())),
  );
});

test("each model is shown from both sides, in two stores or more", () => {
  const models = new Map(questions.map(({ model }) => [model, new Set<string>()]));
  for (const { model, side, asks } of questions) {
    models.get(model)?.add(side);
    expect(new Set(Object.values(asks).map(({ store }) => store)).size, model).toBeGreaterThan(1);
  }
  expect([...models.keys()]).toEqual(["relational", "document", "key-value", "wide-column", "graph"]);
  for (const sides of models.values()) {
    expect([...sides]).toEqual(["best", "badly"]);
  }
});
