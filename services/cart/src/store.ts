/** A product in a cart. */
export interface Item {
  sku: string;
  quantity: number;
}

/** What is in a cart, and for how long. */
export interface Contents {
  /** In the order of their SKUs. */
  items: Item[];
  /** `null` for an empty cart, which is no key at all. */
  expiresInSeconds: number | null;
}

/** How many different products a cart may hold. */
export const maxItems = 100;

/** How many of one product. */
export const maxQuantity = 1000;

/** A cart that would hold more than {@link maxItems} products; nothing was changed. */
export class CartFullError extends Error {
  override name = "CartFullError";
}

/** Where carts are kept. A cart is found by its owner, and gone when nobody has touched it for a while. */
export interface CartStore {
  read(owner: string): Promise<Contents>;
  /**
   * Sets how many of a product are in a cart; 0 takes it out.
   *
   * @throws CartFullError
   */
  set(owner: string, item: Item): Promise<void>;
  empty(owner: string): Promise<void>;
  /**
   * Moves everything from one cart into another, at once: of several who do so at the same time, one finds it. Quantities of
   * the same product are added up, to {@link maxQuantity} at most. Gives how many products there were.
   *
   * @throws CartFullError
   */
  merge(from: string, to: string): Promise<number>;
}
