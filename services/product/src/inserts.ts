import {
  type Collection,
  type Document,
  type Filter,
  MongoBulkWriteError,
  MongoServerError,
  type OptionalUnlessRequiredId,
  type WithoutId,
} from "mongodb";

/** https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml */
const duplicateKey = 11000;

/**
 * Acknowledged once it is in the journal: a stock that forgets what it has promised is worse than a slow one. For collections
 * whose documents are inserted with an `_id` that only one may have, which every server does atomically.
 */
export const durable = { writeConcern: { w: "majority", journal: true } } as const;

interface WithTextId {
  _id: string;
}

/** Inserts a document unless there is one with its `_id`; says whether it was the first. */
export async function insertFirst<T extends WithTextId>(
  collection: Collection<T>,
  document: OptionalUnlessRequiredId<T>,
): Promise<boolean> {
  try {
    await collection.insertOne(document);
    return true;
  } catch (error) {
    if (isDuplicate(error)) {
      return false;
    }
    throw error;
  }
}

/** Replaces the document that a filter finds, or inserts one. */
export async function replaceOrInsert<T extends Document>(
  collection: Collection<T>,
  filter: Filter<T>,
  document: WithoutId<T>,
): Promise<void> {
  const put = () => collection.replaceOne(filter, document, { upsert: true });
  try {
    await put();
  } catch (error) {
    // Of two that insert it at once, one is told that it is there.
    if (!isDuplicate(error)) {
      throw error;
    }
    await put();
  }
}

/** Whether an error says that there is a document with a key that only one may have. */
function isDuplicate(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === duplicateKey;
}

/** Inserts those documents whose `_id` is not there yet, and gives them. */
export async function insertMissing<T extends WithTextId>(
  collection: Collection<T>,
  documents: Array<OptionalUnlessRequiredId<T>>,
): Promise<Array<OptionalUnlessRequiredId<T>>> {
  if (documents.length === 0) {
    return [];
  }
  try {
    await collection.insertMany(documents, { ordered: false });
    return documents;
  } catch (error) {
    if (!(error instanceof MongoBulkWriteError)) {
      throw error;
    }
    const refused = [error.writeErrors].flat();
    if (refused.some(({ code }) => code !== duplicateKey)) {
      throw error;
    }
    const taken = new Set(refused.map(({ index }) => index));
    return documents.filter((_, index) => !taken.has(index));
  }
}
