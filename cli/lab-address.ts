/**
 * The address on this machine that the lab's own load comes from. The gateway's default policies exempt it from the limits of
 * requests by address, so that a measurement measures no limit; other callers on this machine come from 127.0.0.1.
 */
export const labAddress = "127.0.0.2";
