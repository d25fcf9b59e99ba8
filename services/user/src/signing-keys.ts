import { randomUUID } from "node:crypto";
import { transaction } from "@lab/mysql";
import { type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK } from "jose";
import type { Connection, Pool, RowDataPacket } from "mysql2/promise";
import { SealError, type Sealing } from "./sealing.ts";

export interface SigningKeysOptions {
  pool: Pool;
  sealing: Sealing;
  /** How long a key signs before another takes its place. */
  lifetimeMs: number;
  /** How long a token is good that a key has signed. */
  tokenTtlMs: number;
  now?: () => number;
}

export interface SigningKey {
  kid: string;
  privateKey: CryptoKey;
}

interface Row extends RowDataPacket {
  kid: string;
  signs_from_ms: number;
  public_key: string;
  private_key: Buffer;
}

/**
 * How long a key is published before it signs. Services fetch the keys again when a token names one that they don't know, but
 * not twice in a second; and the clocks of instances may differ a little.
 */
const announcedMs = 10_000;
/** How much longer than its last token a key is published, for clocks that are behind. */
const clockSkewMs = 60_000;

/**
 * The keys that tokens are signed with (Ed25519), in the database, the private parts sealed. A new one is published before it
 * signs, and an old one until the last token that it signed has expired, so that nobody is logged out by a rotation.
 */
export class SigningKeys {
  readonly #options: SigningKeysOptions;
  readonly #now: () => number;
  readonly #opened = new Map<string, CryptoKey>();

  constructor(options: SigningKeysOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Makes the first key, or one in place of keys that can't be opened. It signs at once. */
  async ensure(): Promise<void> {
    const [newest] = await this.#rows(this.#options.pool);
    try {
      if (newest) {
        await this.#open(newest);
        return;
      }
    } catch (error) {
      if (!(error instanceof SealError)) {
        throw error;
      }
    }
    await this.#add(this.#options.pool, this.#now());
  }

  /** The key that signs now. One that has signed for its lifetime gets a successor. */
  async current(): Promise<SigningKey> {
    const [newest, ...older] = await this.#rows(this.#options.pool);
    if (!newest) {
      throw new Error("There is no signing key. Run the migrations of the user service.");
    }
    if (newest.signs_from_ms + this.#options.lifetimeMs <= this.#now()) {
      await this.#rotate(newest.kid);
    }
    const signing = [newest, ...older].find(({ signs_from_ms }) => signs_from_ms <= this.#now()) ?? newest;
    return { kid: signing.kid, privateKey: await this.#open(signing) };
  }

  /** The public parts of the keys whose tokens may still be good, or that will sign soon. */
  async published(): Promise<JWK[]> {
    const rows = await this.#rows(this.#options.pool);
    return rows
      .filter((_, index) => !this.#isOver(rows, index))
      .map(({ public_key }) => JSON.parse(public_key) as JWK);
  }

  /** Makes a new key, which signs from a moment later on. */
  async rotate(): Promise<{ kid: string; signsFrom: Date }> {
    return this.#rotate();
  }

  /** @param after only if this is the newest key: another instance may have been quicker */
  #rotate(after?: string): Promise<{ kid: string; signsFrom: Date }> {
    return transaction(this.#options.pool, async (connection) => {
      const rows = await this.#rows(connection, "FOR UPDATE");
      const [newest] = rows;
      if (newest && after !== undefined && newest.kid !== after) {
        return { kid: newest.kid, signsFrom: new Date(newest.signs_from_ms) };
      }
      const over = rows.filter((_, index) => this.#isOver(rows, index)).map(({ kid }) => kid);
      if (over.length > 0) {
        await connection.query("DELETE FROM signing_keys WHERE kid IN (?)", [over]);
      }
      return this.#add(connection, this.#now() + announcedMs);
    });
  }

  /** Whether all tokens of a key have expired: the next one has signed for longer than a token is good. */
  #isOver(newestFirst: Row[], index: number): boolean {
    const next = newestFirst[index - 1];
    return next !== undefined && next.signs_from_ms + this.#options.tokenTtlMs + clockSkewMs <= this.#now();
  }

  async #rows(connection: Connection | Pool, lock: "FOR UPDATE" | "" = ""): Promise<Row[]> {
    const [rows] = await connection.query<Row[]>(
      `SELECT kid, signs_from_ms, public_key, private_key FROM signing_keys ORDER BY signs_from_ms DESC, kid ${lock}`,
    );
    return rows;
  }

  async #add(connection: Connection | Pool, signsFromMs: number): Promise<{ kid: string; signsFrom: Date }> {
    const kid = randomUUID();
    const { publicKey, privateKey } = await generateKeyPair("EdDSA", { extractable: true });
    const shown = { ...(await exportJWK(publicKey)), kid, alg: "EdDSA", use: "sig" };
    const sealed = this.#options.sealing.seal(
      JSON.stringify(await exportJWK(privateKey)),
      `Signing key ${kid}`,
    );
    await connection.execute(
      "INSERT INTO signing_keys (kid, signs_from_ms, public_key, private_key) VALUES (?, ?, ?, ?)",
      [kid, signsFromMs, JSON.stringify(shown), sealed],
    );
    return { kid, signsFrom: new Date(signsFromMs) };
  }

  async #open({ kid, private_key }: Row): Promise<CryptoKey> {
    const known = this.#opened.get(kid);
    if (known) {
      return known;
    }
    const jwk = JSON.parse(this.#options.sealing.open(private_key, `Signing key ${kid}`)) as JWK;
    const key = (await importJWK(jwk, "EdDSA")) as CryptoKey;
    this.#opened.set(kid, key);
    return key;
  }
}
