import { Kernel1763600000000 } from './1763600000000-kernel.js';
import { Oauth1763700000000 } from './1763700000000-oauth.js';
import { RateWindows1763830000000 } from './1763830000000-rate-windows.js';

/** Every migration, oldest first. A released one is never changed. */
export const MIGRATIONS = [Kernel1763600000000, Oauth1763700000000, RateWindows1763830000000];
