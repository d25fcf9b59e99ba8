export { type AppEnvironment, type AppOptions, createApp } from "./app.ts";
export {
  type Auth,
  type AuthEnvironment,
  authEnvironment,
  createAuth,
  type Identity,
  ownOrAdmin,
  secured,
} from "./auth.ts";
export { EnvironmentError, listenPort, port, readEnvironment } from "./environment.ts";
export { createLogger, type Logger } from "./log.ts";
export { counter, gauge, histogram } from "./metrics.ts";
export { done, jsonBody, reply } from "./openapi.ts";
export { Problem, problemResponse } from "./problem.ts";
export { type Context, defineService, type Running, runService, type Service } from "./run.ts";
export { createServiceTokens, type ServiceTokens, serviceTokenEnvironment } from "./service-tokens.ts";
export { runTogether } from "./together.ts";
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
