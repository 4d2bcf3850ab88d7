/**
 * Which way imports may point: main, cli → app → features → kernel → platform. What each folder is, docs/ARCHITECTURE.md says.
 *
 * A folder of the kernel or of a feature has a door, `index.ts`: other folders import the door and nothing behind it.
 */
const KERNEL = '^src/(scopes|credentials|rate-limits|audit)/';
const PLATFORM = '^src/(http|db)/';
const TOP = '^src/[^/]+[.]ts$|^src/(server|cli|config)/';
const FEATURE =
  '^src/(?!scopes/|credentials/|rate-limits/|audit/|http/|db/|server/|cli/|config/)([^/]+)/';
/** Folders without a door: each of their modules stands for itself. */
const WITHOUT_DOOR = '^src/(scopes|http|db|server|cli|config)/';
const DOORS = [
  '^src/[^/]+/index[.]ts$',
  // The tables of a folder, with the SQL conditions on them. Opening a database needs them, without the rest.
  '^src/[^/]+/tables[.]ts$',
  // Vocabulary and rules that load nothing: configuration and declared commands are read before the rest is loaded.
  '^src/credentials/kinds[.]ts$',
  '^src/credentials/secrets/signing-algorithms[.]ts$',
  '^src/accounts/password-policy[.]ts$',
  '^src/sign-in-providers/providers-document[.]ts$',
];

module.exports = {
  forbidden: [
    {
      name: 'platform-knows-nothing-above',
      severity: 'error',
      from: { path: PLATFORM },
      to: { path: '^src/', pathNot: PLATFORM },
    },
    {
      name: 'kernel-knows-no-feature',
      severity: 'error',
      from: { path: KERNEL },
      to: { path: '^src/', pathNot: [KERNEL, PLATFORM] },
    },
    {
      name: 'only-the-top-knows-the-top',
      severity: 'error',
      from: { path: '^src/', pathNot: TOP },
      to: { path: TOP },
    },
    {
      name: 'only-through-the-door',
      comment: 'Import the folder’s index.ts, and export there what others may use.',
      severity: 'error',
      from: { path: '^src/([^/]+)/' },
      to: { path: '^src/[^/]+/', pathNot: ['^src/$1/', WITHOUT_DOOR, ...DOORS] },
    },
    {
      name: 'roots-only-through-the-door',
      comment: 'Import the folder’s index.ts, and export there what others may use.',
      severity: 'error',
      from: { path: '^src/[^/]+[.]ts$|^(migrations|ormconfig)' },
      to: { path: '^src/[^/]+/', pathNot: [WITHOUT_DOOR, ...DOORS] },
    },
    {
      name: 'nothing-behind-a-door-imports-it',
      severity: 'error',
      from: { path: '^src/([^/]+)/', pathNot: [WITHOUT_DOOR] },
      to: { path: '^src/$1/index[.]ts$' },
    },
    {
      name: 'only-oauth-library-knows-oidc-provider',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/oauth/' },
      to: { path: 'node_modules/oidc-provider/' },
    },
    {
      name: 'nothing-imports-tests-or-benchmarks',
      severity: 'error',
      from: { path: '^(src|migrations)/' },
      to: { path: '^(test|bench)/' },
    },
    {
      name: 'guard-package-stands-alone',
      comment: 'src/guard is published as @gatehouse/guard, without dependencies.',
      severity: 'error',
      from: { path: '^src/guard/' },
      to: { pathNot: '^src/guard/', dependencyTypesNot: ['core'] },
    },
    {
      name: 'the-server-does-not-use-the-guard-package',
      severity: 'error',
      from: { path: '^(src|migrations)/', pathNot: '^src/guard/' },
      to: { path: '^src/guard/' },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, pathNot: '[.]d[.]mts$|launch[.]mjs$' },
      to: {},
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.mjs', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
