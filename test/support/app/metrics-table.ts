import { readFileSync } from 'node:fs';

/** The metrics that docs/operations.md documents, each with its labels. */
export function documentedMetrics(): ReadonlyMap<string, readonly string[]> {
  const text = readFileSync('docs/operations.md', 'utf8');
  const rows = text.matchAll(/^\| `([a-z][a-z\d_]+)` +\| ([^|]*?) *\|[^|]*\|$/gm);
  return new Map(
    [...rows]
      .filter(([, name = '']) => /^(gatehouse|nodejs|process)_/.test(name))
      .map(([, name = '', labels = '']) => [
        name,
        [...labels.matchAll(/`([a-z_]+)`/g)].map(([, label = '']) => label),
      ]),
  );
}

/** The metrics that a text in the format of Prometheus declares, each with the labels that its series have. */
export function exposedMetrics(text: string): ReadonlyMap<string, ReadonlySet<string>> {
  const metrics = new Map<string, Set<string>>();
  for (const [, name = ''] of text.matchAll(/^# TYPE (\S+) /gm)) metrics.set(name, new Set());
  for (const [, series = '', labels = ''] of text.matchAll(/^([a-z_\d]+)\{(.*)\} /gm)) {
    const known = metrics.get(series) ?? metrics.get(series.replace(/_(?:bucket|sum|count)$/, ''));
    for (const [, label = ''] of labels.matchAll(/(?:^|,)([a-z_]+)="/g)) {
      if (label !== 'le') known?.add(label);
    }
  }
  return metrics;
}
