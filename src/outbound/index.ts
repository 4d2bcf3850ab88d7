export { createOutbound, type Outbound } from './outbound.js';
