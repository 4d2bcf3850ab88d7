// Checks which way imports point (`.dependency-cruiser.cjs`), and that the check really saw every file: with a parser
// missing, dependency-cruiser reads nothing and reports success.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

const FOLDERS = ['src', 'migrations'];

const run = (type) =>
  spawnSync('node_modules/.bin/depcruise', ['--output-type', type, ...FOLDERS, 'ormconfig.ts'], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });

const report = run('err-long');
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
process.exit(report.status ?? 1);
