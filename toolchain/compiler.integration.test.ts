import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findCompiler } from "./compiler.ts";

const program = `#include <math.h>
#include <pthread.h>
#include <stdio.h>
static void *hello(void *root) { printf("%.0f\\n", sqrt(*(double *)root)); return NULL; }
int main(void) {
  double number = 1764;
  pthread_t thread;
  return pthread_create(&thread, NULL, hello, &number) || pthread_join(thread, NULL);
}
`;

let folder: string;
let bin: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "compiler test "));
  bin = join(folder, "bin");
  await mkdir(bin);
  for (const tool of ["sh", "dirname"]) {
    await symlink((await execa("which", [tool])).stdout, join(bin, tool));
  }
});

afterAll(() => rm(folder, { recursive: true }));

test("a compiler comes from the distribution's packages where none works, and is used once it is there", async () => {
  // As where gcc is installed without libc's headers.
  await writeFile(join(bin, "gcc"), "#!/bin/sh\necho 'stdlib.h: No such file or directory' >&2\nexit 1\n");
  await chmod(join(bin, "gcc"), 0o755);
  const compiler = await findCompiler({ PATH: bin }, join(folder, "cache"), folder);
  expect(compiler).not.toBe(join(bin, "gcc"));

  await writeFile(join(folder, "program.c"), program);
  const alone = { cwd: folder, env: { PATH: bin }, extendEnv: false };
  const { all } = await execa(
    compiler,
    ["-o", "program", "program.c", "-lm", "-lpthread", "-Wl,--trace", "-v"],
    { ...alone, all: true },
  );
  // Nothing of it is this machine's.
  expect(all.split("\n").filter((line) => /^\/(usr|lib)/.test(line))).toEqual([]);
  expect((await execa(join(folder, "program"))).stdout).toBe("42");

  await rm(join(bin, "gcc"));
  await writeFile(join(bin, "gcc"), `#!/bin/sh\nexec '${compiler}' "$@"\n`, { mode: 0o755 });
  expect(await findCompiler({ PATH: bin }, join(folder, "cache"), folder)).toBe(join(bin, "gcc"));
});
