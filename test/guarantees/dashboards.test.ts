import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { documentedMetrics } from '../support/app/metrics-table.js';

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly { readonly expr: string }[];
}

const ALERTS = readFileSync('docs/dashboards/alerts.yml', 'utf8');
const OPERATIONS = readFileSync('docs/operations.md', 'utf8');
const { panels } = JSON.parse(readFileSync('docs/dashboards/gatehouse.json', 'utf8')) as {
  readonly panels: readonly Panel[];
};
const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
const alerts = ALERTS.split('- alert: ')
  .slice(1)
  .map((text) => ({ name: /^\w+/.exec(text)?.[0] ?? '', text }));
const metrics = documentedMetrics();

/** The documented metric that a series belongs to: those of a histogram have endings. */
function metricOf(series: string): string {
  return metrics.has(series) ? series : series.replace(/_(?:bucket|sum|count)$/, '');
}

/** The series that expressions name, each with the labels that it is selected by. */
function seriesIn(text: string): readonly (readonly [string, readonly string[]])[] {
  const found = text.matchAll(/\b((?:gatehouse|nodejs|process)_[a-z\d_]+)(?:\{([^}]*)\})?/g);
  return [...found].map(([, name = '', matchers = '']) => [
    metricOf(name),
    [...matchers.matchAll(/([a-z_]+)(?:=~|!~|!=|=)"/g)].map(([, label = '']) => label),
  ]);
}

/** The section below a heading, up to the next one of its level. */
function sectionOf(heading: string): string {
  const [, section = ''] = OPERATIONS.split(`\n## ${heading}\n`);
  return section.split('\n## ')[0] ?? '';
}

/** As GitHub makes them of headings. */
const anchors = [...OPERATIONS.matchAll(/^#{2,4} (.*)$/gm)].map(([, heading = '']) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\w\s-]/g, '')
    .replaceAll(' ', '-'),
);

describe('the dashboard and the alert rules', () => {
  it.each([
    ['the dashboard', expressions.join('\n')],
    ['the alert rules', ALERTS],
  ])('name metrics and labels that exist: %s', (_name, text) => {
    const series = seriesIn(text);
    expect(series.length).toBeGreaterThan(10);
    for (const [name, labels] of series) {
      expect([...metrics.keys()]).toContain(name);
      const known = ['job', 'instance', 'le', ...(metrics.get(name) ?? [])];
      expect(labels.filter((label) => !known.includes(label))).toEqual([]);
    }
  });

  it('show every metric of Gatehouse on the dashboard', () => {
    const shown = new Set(seriesIn(expressions.join('\n')).map(([name]) => name));
    expect([...metrics.keys()].filter((name) => !shown.has(name))).toEqual([]);
  });

  it('have a row for each topic and a query in each panel', () => {
    const rows = panels.filter(({ type }) => type === 'row');
    expect(rows.map(({ title }) => title)).toEqual([
      'Traffic',
      'Verdicts',
      'Sign-in and OAuth',
      'Database and pools',
      'Background work',
      'Process',
    ]);
    for (const { type, targets = [] } of panels) {
      if (type !== 'row') expect(targets.length).toBeGreaterThan(0);
    }
  });

  it('name tasks that exist', () => {
    const tasks = [...`${ALERTS}${expressions.join('')}`.matchAll(/task=~?"([^"]+)"/g)];
    expect(tasks.length).toBeGreaterThan(3);
    const section = sectionOf('Logs, metrics, audit');
    for (const task of tasks.flatMap(([, names = '']) => names.split('|'))) {
      expect(section).toContain(`\`${task}\``);
      expect(readFileSync('src/db/background-work.ts', 'utf8')).toContain(`'${task}'`);
    }
  });

  it('link each alert to a heading and to a row of "At 3 a.m."', () => {
    expect(alerts.length).toBeGreaterThan(8);
    const section = sectionOf('At 3 a.m.');
    for (const { name, text } of alerts) {
      expect(section).toContain(`\`${name}\``);
      const [, anchor = 'none'] = /runbook: docs\/operations\.md#(\S+)/.exec(text) ?? [];
      expect(anchors).toContain(anchor);
      for (const annotation of ['severity:', 'summary:', 'description:']) {
        expect(text).toContain(annotation);
      }
    }
    for (const [, name = ''] of section.matchAll(/`(Gatehouse\w+)`/g)) {
      expect(alerts.map((alert) => alert.name)).toContain(name);
    }
  });

  it('name existing metrics and log lines in "At 3 a.m."', () => {
    const section = sectionOf('At 3 a.m.');
    for (const [name] of seriesIn(section)) expect([...metrics.keys()]).toContain(name);
    const files = readdirSync('src', { recursive: true, encoding: 'utf8' });
    const sources = files
      .filter((file) => file.endsWith('.ts'))
      .map((file) => readFileSync(join('src', file), 'utf8'))
      .join('');
    const lines = [...section.matchAll(/`"([^"`]+)"`/g)].map(([, line = '']) => line);
    expect(lines.length).toBeGreaterThan(8);
    for (const line of lines) expect(sources).toContain(`'${line}'`);
  });
});
