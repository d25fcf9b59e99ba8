import type * as pulumi from "@pulumi/pulumi";

/** Where a store is and who may enter it. */
export interface Account {
  host: string;
  port: number;
  user: string;
  password: pulumi.Output<string>;
  /** The database, keyspace or key prefix that the user works in. */
  database?: string;
}
