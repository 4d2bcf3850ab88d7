import { expect, it } from '@jest/globals';
import { AggregatorRegistry, Histogram, Registry } from 'prom-client';

import { createHistogram } from '../../src/http/histogram.js';

const BUCKETS = [0.001, 0.5, 2];
const ROUTES = ['/api/v1/me', '/"quoted"'];
const VALUES = [0, 0.001, 0.0011, 0.5, 1.9, 2, 2.1, 1e6];

it('is shown as a histogram of prom-client, alone and merged with that of other workers', async () => {
  const [ours, theirs] = [new Registry(), new Registry()];
  const described = { name: 'test_seconds', help: 'Test.', buckets: BUCKETS };
  const seriesOf = createHistogram({ ...described, register: ours });
  const histogram = new Histogram({
    ...described,
    labelNames: ['method', 'route'],
    registers: [theirs],
  });
  for (const route of ROUTES) {
    const series = seriesOf({ method: 'GET', route });
    for (const value of VALUES) {
      series.observe(value);
      histogram.labels('GET', route).observe(value);
    }
  }
  const plain = createHistogram({ ...described, name: 'test_units', register: ours });
  plain({});
  // Shown from the start, with zeros.
  void new Histogram({ ...described, name: 'test_units', registers: [theirs] });

  expect(await ours.metrics()).toBe(await theirs.metrics());
  const merged = async (registry: Registry) => {
    const worker = await registry.getMetricsAsJSON();
    return AggregatorRegistry.aggregate([worker, structuredClone(worker)]).metrics();
  };
  expect(await merged(ours)).toBe(await merged(theirs));
});
