export { type AppEnvironment, type AppOptions, createApp } from "./app.ts";
export { EnvironmentError, readEnvironment } from "./environment.ts";
export type { Logger } from "./log.ts";
export { jsonBody, reply } from "./openapi.ts";
export { Problem, problemResponse } from "./problem.ts";
export { type Context, type Running, runService, type Service } from "./run.ts";
