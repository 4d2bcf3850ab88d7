import { createBrowser, PASSWORD, type BrowserStop, type TestUser } from './oauth.js';

type Server = { readonly origin: string; readonly config: { readonly ISSUER: string } };
type Fields = Readonly<Record<string, string | readonly string[]>>;

/** Somebody with a browser, at the page of the device grant. */
export interface DeviceUser {
  /** Opens a page, and signs in where it leads to the login. */
  open(path: string): Promise<BrowserStop>;
  /** Types a code into the form. */
  type(code: string): Promise<BrowserStop>;
  submit(stop: BrowserStop, fields: Fields): Promise<BrowserStop>;
  /** Types a code and decides. */
  decide(code: string, decision: 'approve' | 'deny'): Promise<BrowserStop>;
}

export function createDeviceUser({ origin, config }: Server, user: TestUser): DeviceUser {
  const browser = createBrowser({ origin, issuer: config.ISSUER });
  async function open(path: string): Promise<BrowserStop> {
    const stop = await browser.open(config.ISSUER + path);
    return new URL(stop.url).pathname === '/login'
      ? browser.submit(stop, { email: user.email, password: PASSWORD })
      : stop;
  }
  const type = async (code: string) => browser.submit(await open('/device'), { user_code: code });
  return {
    open,
    type,
    submit: (stop, fields) => browser.submit(stop, fields),
    decide: async (code, decision) => browser.submit(await type(code), { decision }),
  };
}
