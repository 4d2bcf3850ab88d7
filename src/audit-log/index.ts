export { createAuditReader, type AuditReader, type PlacedEntry } from './audit-reader.js';
export { entryFilterOf, entryParameters } from './entry-filters.js';
export { createExporter, exportTexts, type Exporter } from './export.js';
export { createAuditRoutes } from './routes.js';
export { findNames, type Names } from './names.js';
