import { hkdfSync, randomBytes } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { ResourceHandler } from "@lab/provider-base";
import { z } from "zod";

const inputsSchema = z.strictObject({
  keyFile: z.string().min(1),
  name: z.string().min(1),
  kind: z.enum(["password", "uuid"]).default("password"),
});

type Inputs = z.infer<typeof inputsSchema>;
type Outputs = Inputs & { value: string };

const keyBytes = 32;

/** `host:index/secret:Secret`: a password or token that derives from a key file, so that it outlives the Pulumi state. */
export const secretHandler: ResourceHandler<Inputs, Outputs> = {
  type: "host:index/secret:Secret",
  inputs: inputsSchema,
  replaceOn: ["keyFile", "name", "kind"],
  secretOutputs: ["value"],

  async create(_context, { inputs }) {
    return { id: inputs.name, outputs: { ...inputs, value: derive(keyOf(inputs.keyFile), inputs) } };
  },

  async read(_context, { id, inputs, outputs }) {
    return { id, inputs, outputs: outputs as Outputs };
  },

  /** The key stays with the data that it opens. */
  async delete() {},
};

/** HKDF-SHA256 (RFC 5869) of the key, with the secret's name as context. */
export function derive(key: Buffer, { name, kind }: Pick<Inputs, "name" | "kind">): string {
  const bytes = (length: number) => Buffer.from(hkdfSync("sha256", key, "", `polyglot-lab/${name}`, length));
  return kind === "uuid" ? uuid(bytes(16)) : bytes(24).toString("base64url");
}

/** Sixteen bytes in the form of a version 4 UUID (RFC 9562). */
function uuid(bytes: Buffer): string {
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** The key in the file, made if there is none; when several make it at once, one of them wins for all. */
function keyOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
      throw error;
    }
  }
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const aside = `${file}.${randomBytes(6).toString("hex")}`;
  try {
    writeFileSync(aside, randomBytes(keyBytes), { mode: 0o600, flag: "wx" });
    linkSync(aside, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
      throw error;
    }
  } finally {
    rmSync(aside, { force: true });
  }
  return readFileSync(file);
}
