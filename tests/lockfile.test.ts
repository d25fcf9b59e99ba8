import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

interface Package {
  version?: string;
  resolved?: string;
  optionalDependencies?: Record<string, string>;
}

const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8")) as {
  packages: Record<string, Package>;
};

/** A registry that lacks the builds of other platforms makes npm leave them out; `npm ci` then refuses the lock file. */
test("the lock file names every optional dependency", () => {
  const missing = Object.entries(packages).flatMap(([folder, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !packages[`${folder}/node_modules/${name}`] && !packages[`node_modules/${name}`],
    ),
  );
  expect(missing).toEqual([]);
});

test("the lock file names no registry", () => {
  expect(
    Object.values(packages).flatMap(({ resolved }) => (resolved?.startsWith("http") ? [resolved] : [])),
  ).toEqual([]);
});
