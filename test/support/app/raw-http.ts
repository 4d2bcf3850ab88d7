import { request, type Agent, type IncomingHttpHeaders } from 'node:http';

/** A request as it goes over the wire: nothing is added but `Host`. */
export interface RawRequest {
  /** For the `Host` header, instead of the address that it is sent to. */
  readonly host?: string;
  readonly method?: string;
  readonly path: string;
  /** In this order, and as often as they are given. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: string | Buffer;
  /** Keeps connections open between requests. */
  readonly agent?: Agent;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/**
 * Sends what well-behaved clients can't, such as a header twice.
 *
 * @param origin where to, such as `http://127.0.0.1:12345`
 */
export function sendRaw(origin: string, raw: RawRequest): Promise<RawAnswer> {
  const { hostname, port, host } = new URL(origin);
  const { method = 'GET', path, headers = [], body, agent } = raw;
  return new Promise((resolve, reject) => {
    const sent = request({
      hostname,
      port,
      method,
      path,
      ...(agent && { agent }),
      headers: ['Host', raw.host ?? host, ...headers.flat()],
    });
    sent.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(chunks).toString(),
        }),
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
