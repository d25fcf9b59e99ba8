/** Whether a status says that the instance, or what it stands before, can't do its work: 502, 503 or 504. */
export function isFailureStatus(status: number): boolean {
  return status === 502 || status === 503 || status === 504;
}
