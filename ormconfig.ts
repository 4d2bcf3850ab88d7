import { createDataSource } from './src/db/data-source.js';
import { ENTITIES } from './src/entities.js';

/** The data source for TypeORM's own command line: `npm run typeorm -- migration:show`. */
export default createDataSource(
  { connectionString: process.env['DATABASE_URL'] ?? '' },
  ENTITIES,
  (error) => console.error(error.message),
);
