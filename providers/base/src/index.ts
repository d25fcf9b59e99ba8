export { compare } from "./compare.ts";
export {
  type Change,
  type Context,
  type Difference,
  type FunctionHandler,
  InitializationFailed,
  type Provider,
  type ResourceHandler,
  type State,
} from "./provider.ts";
export { serve } from "./serve.ts";
export { type Properties, same, unknown, type Value } from "./values.ts";
