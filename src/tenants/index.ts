export {
  newTenant,
  presentTenant,
  tenantAnswer,
  tenantChange,
  tenantFields,
} from './tenant-schema.js';
export { createTenantService, type TenantService } from './tenant-service.js';
export { createTenantStore, type StoredTenant } from './tenant-store.js';
export { Tenant } from './tenant.entity.js';
