/**
 * Which way imports may point: main → app → features → kernel → platform. What each folder is,
 * docs/ARCHITECTURE.md says. That features know each other's types only, `.ci/check-imports.mjs` checks: this tool's parser
 * does not tell an `import type` from another.
 */
const KERNEL = '^src/(scopes|credentials|rate-limits|audit)/';
const PLATFORM = '^src/(http|db|outbound)/';
const TOP = '^src/[^/]+[.]ts$|^src/(server|cli)/';
const FEATURE =
  '^src/(?!scopes/|credentials/|rate-limits/|audit/|http/|db/|outbound/|server/|cli/)([^/]+)/';

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
      name: 'features-do-not-know-the-top',
      severity: 'error',
      from: { path: FEATURE },
      to: { path: TOP },
    },
    {
      name: 'only-the-top-knows-the-top',
      severity: 'error',
      from: { path: '^src/', pathNot: TOP },
      to: { path: TOP },
    },
    {
      name: 'nothing-imports-tests-or-benchmarks',
      severity: 'error',
      from: { path: '^(src|migrations)/' },
      to: { path: '^(test|bench)/' },
    },
    {
      name: 'only-the-outbound-guard-sends-requests',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/outbound/' },
      to: { path: '^(node:)?(https|http2|dns|dns/promises|undici)$' },
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
