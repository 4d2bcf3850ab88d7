export { createAuditReader, type AuditReader, type PlacedEntry } from './audit-reader.js';
export { entryFilterOf, entryParameters, type EntryParameters } from './entry-filters.js';
export { entryAnswer, thingOf, type ShownEntry } from './entry-presenter.js';
export { INDEX_ORDER } from './entry-store.js';
export { eventIdOf, parseEventId } from './event-id.js';
export { createExporter, exportPages, exportTexts, type Exporter } from './export.js';
export { createAuditRoutes } from './routes.js';
export { findNames, type Names } from './names.js';
