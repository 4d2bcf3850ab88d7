import type { Access } from './access.js';
import { createGate, type Gate } from './gate.js';
import { readOptions, type GuardOptions } from './options.js';
import type { Question } from './types.js';
import { createVerdictSource, type Judged } from './verdict-source.js';

/** Judges the credentials that a service receives, by Gatehouse. */
export interface Guard {
  /**
   * Asks whether Gatehouse can be reached, and accepts the credential of this service. A service that awaits it when it
   * starts learns of a wrong configuration before its first request.
   *
   * @throws UnavailableError with the reason
   */
  check(): Promise<void>;
  /**
   * Judges a credential that did not come in an HTTP request, such as one of a message. Without an `address`, allow-lists
   * are not judged: the verdict has `allowedIps`.
   *
   * @throws UnavailableError if Gatehouse cannot be asked
   * @throws QuestionError if Gatehouse does not accept the question
   */
  judge(question: Question): Promise<Judged>;
  /**
   * Makes the check of a route. The adapters for Koa, Express, Fastify and `fetch` handlers do it.
   * @throws TypeError for an invalid access rule
   */
  gate<Request>(access: Access<Request>): Gate<Request>;
  /** Ends all connections. Calls after that are refused. */
  close(): void;
}

/** Is refused without being looked up. */
const NO_CREDENTIAL = '-';

/**
 * Makes the guard of a service.
 * @throws TypeError for invalid options
 */
export function createGuard(options: GuardOptions): Guard {
  const settings = readOptions(options);
  const source = createVerdictSource(settings);
  return {
    async check() {
      await source.judge({ credential: NO_CREDENTIAL, cost: 0 });
    },
    judge: (question) => source.judge(question),
    gate: (access) => createGate(settings, (question) => source.judge(question), access),
    close: () => source.close(),
  };
}
