export { type AppEnvironment, type AppOptions, createApp } from "./app.ts";
export {
  type Auth,
  type AuthEnvironment,
  authEnvironment,
  bearerOf,
  createAuth,
  type Identity,
  ownOrAdmin,
  secured,
} from "./auth.ts";
export { cacheable } from "./cacheable.ts";
export { closeServer } from "./close-server.ts";
export { EnvironmentError, listenPort, port, readEnvironment } from "./environment.ts";
export { type ApiDocument, joinDocuments } from "./join-documents.ts";
export { KeysAwayError, keysFrom } from "./keys.ts";
export { createLogger, type Logger } from "./log.ts";
export { loggedPath } from "./logged-path.ts";
export { counter, gauge, histogram } from "./metrics.ts";
export { done, jsonBody, reply } from "./openapi.ts";
export { Problem, problemResponse } from "./problem.ts";
export { type PublicKeys, publicKeysSchema } from "./public-keys.ts";
export { type Context, defineService, type Running, runService, type Service } from "./run.ts";
export { createServiceTokens, type ServiceTokens, serviceTokenEnvironment } from "./service-tokens.ts";
export { runTogether } from "./together.ts";
export { continueTrace, type Trace } from "./trace.ts";
export {
  countCall,
  currentWork,
  measure,
  observe,
  runWork,
  type Store,
  type StoreUse,
  type Work,
  type WorkOptions,
} from "./work.ts";
