import { runService } from "@lab/service-kit";
import { service } from "./service.ts";

await runService(service);
