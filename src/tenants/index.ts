export { createTenantStore } from './tenant-store.js';
export { Tenant } from './tenant.entity.js';
