export { createOutbound, createUrlCheck, type Outbound } from './outbound.js';
