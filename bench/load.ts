import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import autocannon from 'autocannon';

import { CORES, pinned } from './processes.js';

const CONNECTIONS = 50;

/**
 * A request. `{}`, in the path, in a header or in the body, is where a line of the file goes. Several take the fields of
 * the line in turn, which tabs separate.
 */
export interface RequestTemplate {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Requests {
  readonly template: RequestTemplate;
  /** Credentials to present, a line for each request; all lines are of one length. */
  readonly file: string;
  /** Connections, if not the usual number. */
  readonly connections?: number;
  /** A line is good for one request only; else they are used again from the first one on. */
  readonly isOneShot: boolean;
}

/** Result of one run of load. Latencies in milliseconds. */
export interface LoadResult {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly requests: number;
  /** Answers that were not 2xx, and those that never came. */
  readonly failures: number;
}

/** Asks the same of one server over 50 connections, each request with the next of the lines. */
export interface Load {
  /** @throws Error if lines that are good for one request only ran out */
  run(port: number, seconds: number): Promise<LoadResult>;
  close(): void;
}

const hasWrk = spawnSync('wrk', ['-v']).error === undefined;

/** `wrk` when the machine has it (it costs the least itself), else `autocannon`. */
export const LOADER = hasWrk ? 'wrk' : 'autocannon';

export function createLoad(requests: Requests): Load {
  return hasWrk ? withWrk(requests) : withAutocannon(requests);
}

class RanOut extends Error {
  constructor({ template, file }: Requests) {
    super(
      `the tokens for ${template.path} in ${file} ran out: this machine is faster than was provided for; ` +
        'shorten the rounds with --seconds, or raise RATES in bench/oauth-suite.ts',
    );
  }
}

function withWrk(requests: Requests): Load {
  const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-load-'));
  const script = path.join(folder, 'load.lua');
  writeFileSync(script, luaScript(requests));
  let at = 0;
  return {
    async run(port, seconds) {
      const url = `http://127.0.0.1:${port}/`;
      const options = [
        '-t1',
        `-c${requests.connections ?? CONNECTIONS}`,
        `-d${seconds}s`,
        '-s',
        script,
        url,
        '--',
        `${at}`,
      ];
      const [program, args] = pinned(CORES.rest, ['wrk', ...options]);
      const { stdout } = await promisify(execFile)(program, args);
      const line = /RESULT (.*)/.exec(stdout)?.[1] ?? '';
      const [requests_ = 0, micros = 1, p50 = 0, p99 = 0, failures = 0, end = 0, ranOut = 0] = line
        .split(' ')
        .map(Number);
      at = end;
      if (requests.isOneShot && ranOut === 1) throw new RanOut(requests);
      return {
        perSecond: requests_ / (micros / 1e6),
        p50: p50 / 1000,
        p99: p99 / 1000,
        requests: requests_,
        failures,
      };
    },
    close: () => rmSync(folder, { recursive: true }),
  };
}

function luaScript({ template, file }: Requests): string {
  // All lines are of one length, so that everything around them, `Content-Length` included, stays the same.
  const [length = 0] = linesOf(file).map((line) => line.length);
  const [first = '', ...parts] = rawRequest(template, length).split('{}');
  // Lua reads the escapes of JSON alike.
  return `
    local first, parts = ${JSON.stringify(first)}, { ${parts.map((part) => JSON.stringify(part)).join(', ')} }
    local lines, threads = {}, {}
    for line in io.lines(${JSON.stringify(file)}) do lines[#lines + 1] = line end
    at, ranOut = 0, 0
    function setup(thread) threads[1] = thread end
    function init(args) at = tonumber(args[1]) end
    function request()
      if at == #lines then at, ranOut = 0, 1 end
      at = at + 1
      local text, field = first, 0
      for value in string.gmatch(lines[at], "[^\\t]+") do
        field = field + 1
        text = text .. value .. (parts[field] or "")
      end
      return text
    end
    function done(summary, latency)
      local errors = summary.errors
      io.write(string.format("RESULT %d %d %f %f %d %d %d\\n", summary.requests, summary.duration,
        latency:percentile(50), latency:percentile(99),
        errors.status + errors.timeout + errors.read + errors.write + errors.connect,
        threads[1]:get("at"), threads[1]:get("ranOut")))
    end`;
}

function rawRequest({ method, path: target, headers, body = '' }: RequestTemplate, length: number) {
  const lines = [
    `${method} ${target} HTTP/1.1`,
    'Host: localhost',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(method === 'POST' ? [`Content-Length: ${body.length - 2 + length}`] : []),
    // The path has the first of two fields of one length, the body the second.
    ...(method === 'PUT' ? [`Content-Length: ${body.length - 2 + (length - 1) / 2}`] : []),
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

/** The lines of a file of what is to be presented. */
export function linesOf(file: string): readonly string[] {
  return readFileSync(file, 'utf8').split('\n');
}

function withAutocannon(requests: Requests): Load {
  const { file, isOneShot, template } = requests;
  const lines = linesOf(file);
  let at = 0;
  return {
    async run(port, seconds) {
      let ranOut = false;
      const next = (): string => {
        if (at === lines.length) [at, ranOut] = [0, true];
        return lines[at++] ?? '';
      };
      const result = await autocannon({
        url: `http://127.0.0.1:${port}`,
        connections: requests.connections ?? CONNECTIONS,
        duration: seconds,
        requests: [{ setupRequest: (request) => ({ ...request, ...filled(template, next()) }) }],
      });
      if (isOneShot && ranOut) throw new RanOut(requests);
      return {
        perSecond: result.requests.average,
        p50: result.latency.p50,
        p99: result.latency.p99,
        requests: result.requests.total,
        failures: result.non2xx + result.errors,
      };
    },
    close: () => undefined,
  };
}

/** A template's request with one of the lines. */
export function filled({ method, path: target, headers, body }: RequestTemplate, line: string) {
  const fields = line.split('\t');
  const fill = (text: string) => text.replace('{}', () => fields.shift() ?? '');
  return {
    method,
    path: fill(target),
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, fill(value)]),
    ),
    ...(body !== undefined && { body: fill(body) }),
  };
}
