export { createAuditReader, type AuditReader, type PlacedEntry } from './audit-reader.js';
export { entryFilterOf, entryParameters, RESULTS } from './entry-filters.js';
export { createExporter, exportTexts, type Exporter } from './export.js';
export { EXPORT_FORMAT_NAMES } from './export-formats.js';
export { createAuditRoutes } from './routes.js';
