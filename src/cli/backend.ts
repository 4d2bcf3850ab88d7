import type { Backend, RemoteContext } from './context.js';
import type { OpenList } from './listing.js';

/** The type of the items of a list differs between both; each presents its own. */
type Erased<Result> =
  Result extends Promise<OpenList<infer _Item, infer _Position>>
    ? Promise<OpenList<object, unknown>>
    : Result;

/** The actions of a module, without their context. */
type Bound<Actions> = {
  readonly [Name in keyof Actions]: Actions[Name] extends (
    context: never,
    ...values: infer Values
  ) => infer Result
    ? (...values: Values) => Erased<Result>
    : never;
};

/** A module that has the same actions, over the operator's API. */
export type RemoteActions<Actions, Name extends keyof Actions> = {
  readonly [Each in Name]: Actions[Each] extends (
    context: never,
    ...values: infer Values
  ) => Promise<infer Result>
    ? (
        context: RemoteContext,
        ...values: Values
      ) => Promise<
        Result extends OpenList<infer _I, infer _P> ? OpenList<object, unknown> : unknown
      >
    : never;
};

/**
 * The two implementations of a noun's actions. A command calls one of them by the surroundings that it gets.
 *
 * @param local works on the database
 * @param remote calls the operator's API
 */
export function eitherOf<Actions extends object, Name extends keyof Actions & string>(
  local: () => Promise<Actions>,
  remote: () => Promise<RemoteActions<Actions, Name>>,
): (backend: Backend) => Promise<Bound<Pick<Actions, Name>>> {
  return async (backend) => {
    const actions: object = 'api' in backend ? await remote() : await local();
    const bound = Object.entries(actions)
      .filter(
        (entry): entry is [string, (...values: unknown[]) => unknown] =>
          typeof entry[1] === 'function',
      )
      .map(([name, run]) => [name, (...values: unknown[]) => run(backend, ...values)]);
    return Object.fromEntries(bound) as Bound<Pick<Actions, Name>>;
  };
}
