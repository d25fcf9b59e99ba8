/**
 * Makes a mongod's users, after every start of a new allocation. Changes nothing the second time. A mongod without users
 * lets a client on the same machine make the first one (the localhost exception), and from then on asks for a login.
 */
import { writeFile } from "node:fs/promises";
import { type Db, MongoClient, MongoServerError } from "mongodb";
import { required, untilReady } from "./until-ready.ts";

const port = Number(required("MONGODB_PORT"));
const rootPassword = required("ROOT_PASSWORD");
const productPassword = required("PRODUCT_PASSWORD");

/** https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml */
const userExists = 51003;

const root = await untilReady(signIn, 240_000);
try {
  const product = root.db("product");
  const roles = [
    { role: "readWrite", db: "product" },
    { role: "dbAdmin", db: "product" },
  ];
  if (!(await created(product, "product", productPassword, roles))) {
    await product.command({ updateUser: "product", pwd: productPassword, roles });
  }
} finally {
  await root.close();
}
// The job's check waits for this file.
await writeFile(required("DONE_FILE"), "");
console.log("mongodb: users are as they should be");

/** Signs in as root, who is made first when there are no users. */
async function signIn(): Promise<MongoClient> {
  try {
    return await connect({ username: "root", password: rootPassword });
  } catch (refused) {
    const first = await connect();
    try {
      await created(first.db("admin"), "root", rootPassword, ["root"]);
    } catch {
      throw refused;
    } finally {
      await first.close();
    }
    return await connect({ username: "root", password: rootPassword });
  }
}

async function connect(login?: { username: string; password: string }): Promise<MongoClient> {
  const client = new MongoClient(`mongodb://127.0.0.1:${port}/`, {
    directConnection: true,
    serverSelectionTimeoutMS: 2_000,
    ...(login && { auth: login, authSource: "admin" }),
  });
  try {
    return await client.connect();
  } catch (error) {
    await client.close();
    throw error;
  }
}

async function created(db: Db, user: string, pwd: string, roles: unknown[]): Promise<boolean> {
  try {
    await db.command({ createUser: user, pwd, roles });
    return true;
  } catch (error) {
    if (error instanceof MongoServerError && error.code === userExists) {
      return false;
    }
    throw error;
  }
}
