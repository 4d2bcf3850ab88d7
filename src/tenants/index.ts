export { createTenantService, tenantFields } from './tenant-service.js';
export { createTenantStore } from './tenant-store.js';
export { Tenant } from './tenant.entity.js';
