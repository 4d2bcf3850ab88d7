import { Tenant } from './tenant.entity.js';

export const TENANT_ENTITIES = [Tenant];
