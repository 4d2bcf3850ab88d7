import { readSecretFiles } from './src/config/secret-files.js';
import { createDataSource } from './src/db/data-source.js';
import { ENTITIES } from './src/server/entities.js';

const { env } = readSecretFiles(process.env, process.cwd());

/** The data source for TypeORM's own command line: `npm run typeorm -- migration:show`. */
export default createDataSource(
  { connectionString: env['DATABASE_URL'] ?? '' },
  ENTITIES,
  (error) => console.error(error.message),
);
