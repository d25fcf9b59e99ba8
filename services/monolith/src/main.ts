import { service as analytics } from "@lab/analytics";
import { service as cart } from "@lab/cart";
import { service as notification } from "@lab/notification";
import { service as order } from "@lab/order";
import { service as payment } from "@lab/payment";
import { service as product } from "@lab/product";
import { runTogether } from "@lab/service-kit";
import { service as social } from "@lab/social";
import { service as user } from "@lab/user";

await runTogether({ user, product, cart, order, payment, notification, analytics, social });
