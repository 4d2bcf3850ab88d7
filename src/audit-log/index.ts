export { createAuditReader, type AuditReader } from './audit-reader.js';
export { entryFilterOf, entryParameters } from './entry-filters.js';
export { createExporter, type Exporter } from './export.js';
export { createAuditRoutes } from './routes.js';
