// Checks which way imports point, and that the check really saw every file: with a parser missing,
// dependency-cruiser reads nothing and reports success.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const FOLDERS = ['src', 'migrations'];

const run = (type) =>
  spawnSync('node_modules/.bin/depcruise', ['--output-type', type, ...FOLDERS, 'ormconfig.ts'], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });

const report = run('err');
process.stdout.write(report.stdout + report.stderr);

const { modules } = JSON.parse(run('json').stdout);
const seen = modules.filter(({ source }) =>
  FOLDERS.some((folder) => source.startsWith(`${folder}/`)),
);
const files = FOLDERS.flatMap((folder) => readdirSync(folder, { recursive: true })).filter((name) =>
  /(?<!\.d)\.ts$/.test(name),
);
if (seen.length < files.length) {
  console.error(`The import check saw ${seen.length} modules of ${files.length} files.`);
  process.exit(1);
}

// app.ts introduces features to each other: one may know the types of another, never its code. The modules that compose a
// feature are an exception.
const COMPOSE =
  /^src\/oauth\/(authorize\/|library\/)?index[.]ts$|^src\/oauth\/(stores|endpoints|client-documents)[.]ts$|^src\/console\//;
const LAYERS_BELOW = [
  'scopes',
  'credentials',
  'rate-limits',
  'audit',
  'http',
  'db',
  'outbound',
  'server',
  'cli',
];
const featureOf = (path) => {
  const [, folder] = /^src\/([^/]+)\//.exec(path) ?? [];
  return LAYERS_BELOW.includes(folder) ? undefined : folder;
};
const violations = modules.flatMap(({ source, dependencies }) =>
  dependencies
    .filter(({ resolved }) => {
      const [from, to] = [featureOf(source), featureOf(resolved)];
      return from !== undefined && to !== undefined && from !== to && !COMPOSE.test(source);
    })
    .filter(({ module }) => {
      const name = module.replaceAll('.', '[.]');
      const code = new RegExp(`^(import|export) (?!type )[^;]*from '${name}'`, 'm');
      return code.test(readFileSync(source, 'utf8'));
    })
    .map(({ resolved }) => `features-do-not-know-each-other: ${source} → ${resolved}`),
);
for (const violation of violations) console.error(violation);
process.exit(violations.length > 0 ? 1 : (report.status ?? 1));
