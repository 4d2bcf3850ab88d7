/** Types of the inner modules of oidc-provider that `library-internals.ts` imports: the library publishes none. */
declare module 'oidc-provider/lib/helpers/als.js' {
  import type { AsyncLocalStorage } from 'node:async_hooks';

  import type { Context } from 'koa';

  const contextStorage: AsyncLocalStorage<Context>;
  export default contextStorage;
}

declare module 'oidc-provider/lib/helpers/weak_cache.js' {
  import type { Context } from 'koa';
  import type Provider from 'oidc-provider';

  type Respond = (
    ctx: Context,
    redirectUri: string,
    parameters: Readonly<Record<string, string>>,
  ) => void;

  /** Returns the private state of a provider. */
  const readInternals: (provider: Provider) => {
    readonly responseModes: Map<string, Respond>;
  };
  export default readInternals;
}
