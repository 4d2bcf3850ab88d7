import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import autocannon from 'autocannon';

import { CORES, pinned } from './processes.js';

const CONNECTIONS = 50;

/** What one run of load saw. Latencies in milliseconds. */
export interface LoadResult {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly requests: number;
  /** Answers that were not 2xx. */
  readonly failures: number;
}

/** Asks `/api/v1/me`, each request with the next of the credentials, over 50 connections. */
export type Load = (port: number, seconds: number) => Promise<LoadResult>;

/** `wrk` when the machine has it (it costs the least itself), else `autocannon`. */
export function createLoad(credentials: readonly string[]): {
  name: string;
  run: Load;
  close(): void;
} {
  const hasWrk = spawnSync('wrk', ['-v']).error === undefined;
  if (!hasWrk)
    return { name: 'autocannon', run: withAutocannon(credentials), close: () => undefined };
  const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-bench-'));
  const script = path.join(folder, 'load.lua');
  writeFileSync(path.join(folder, 'credentials.txt'), credentials.join('\n'));
  writeFileSync(script, luaScript(path.join(folder, 'credentials.txt')));
  return {
    name: 'wrk',
    run: withWrk(script),
    close: () => rmSync(folder, { recursive: true }),
  };
}

function luaScript(file: string): string {
  return `
    local lines = {}
    for line in io.lines("${file}") do
      lines[#lines + 1] = wrk.format("GET", "/api/v1/me", { Host = "localhost", Authorization = "Bearer " .. line })
    end
    local at = 0
    function request()
      at = at % #lines + 1
      return lines[at]
    end
    function done(summary, latency)
      io.write(string.format("RESULT %d %d %f %f %d\\n", summary.requests, summary.duration,
        latency:percentile(50), latency:percentile(99), summary.errors.status + summary.errors.timeout))
    end`;
}

function withWrk(script: string): Load {
  return async (port, seconds) => {
    const url = `http://127.0.0.1:${port}/api/v1/me`;
    const options = ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '-s', script, url];
    const [program, args] = pinned(CORES.rest, ['wrk', ...options]);
    const { stdout } = await promisify(execFile)(program, args);
    const figures = /RESULT (\S+) (\S+) (\S+) (\S+) (\S+)/.exec(stdout)?.slice(1).map(Number) ?? [];
    const [requests = 0, micros = 1, p50 = 0, p99 = 0, failures = 0] = figures;
    return {
      perSecond: requests / (micros / 1e6),
      p50: p50 / 1000,
      p99: p99 / 1000,
      requests,
      failures,
    };
  };
}

function withAutocannon(credentials: readonly string[]): Load {
  return async (port, seconds) => {
    let at = 0;
    const result = await autocannon({
      url: `http://127.0.0.1:${port}/api/v1/me`,
      connections: CONNECTIONS,
      duration: seconds,
      requests: [
        {
          setupRequest(request) {
            at = (at + 1) % credentials.length;
            const authorization = `Bearer ${credentials[at]}`;
            return { ...request, headers: { ...request.headers, authorization } };
          },
        },
      ],
    });
    return {
      perSecond: result.requests.average,
      p50: result.latency.p50,
      p99: result.latency.p99,
      requests: result.requests.total,
      failures: result.non2xx + result.errors,
    };
  };
}
