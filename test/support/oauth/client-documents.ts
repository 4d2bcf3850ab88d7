import type { WebServer } from '../app/web-server.js';

export type Document = Readonly<Record<string, unknown>> & {
  readonly redirect_uris: readonly string[];
};

const CODE_AND_REFRESH = ['authorization_code', 'refresh_token'];

/** Client ID Metadata Documents in the form in which apps publish them, without `client_id`. */
export const DOCUMENTS: Readonly<Record<string, Document>> = {
  Claude: {
    client_name: 'Claude',
    client_uri: 'https://claude.ai',
    redirect_uris: ['https://claude.ai/api/mcp/auth_callback'],
    grant_types: [...CODE_AND_REFRESH, 'urn:ietf:params:oauth:grant-type:jwt-bearer'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  },
  'Claude Code': {
    client_name: 'Claude Code',
    client_uri: 'https://claude.ai',
    redirect_uris: ['http://localhost/callback', 'http://127.0.0.1/callback'],
    grant_types: CODE_AND_REFRESH,
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  },
  'VS Code': {
    client_name: 'Visual Studio Code',
    client_uri: 'https://vscode.dev/product',
    grant_types: [...CODE_AND_REFRESH, 'urn:ietf:params:oauth:grant-type:device_code'],
    response_types: ['code'],
    redirect_uris: ['http://127.0.0.1:33418/', 'https://vscode.dev/redirect'],
    token_endpoint_auth_method: 'none',
    application_type: 'native',
  },
  Cursor: {
    client_name: 'Cursor',
    client_uri: 'https://cursor.com',
    logo_uri: 'https://cursor.com/logo.svg',
    redirect_uris: [
      'https://www.cursor.com/agents/mcp/oauth/callback',
      'http://localhost:8787/callback',
      'cursor://anysphere.cursor-mcp/oauth/callback',
    ],
    grant_types: CODE_AND_REFRESH,
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    scope: 'contacts:read offline_access',
  },
};

/** The redirects that the apps use, with the ports of one installation. */
export const REDIRECTS: readonly (readonly [app: string, redirectUri: string])[] = [
  ['Claude', 'https://claude.ai/api/mcp/auth_callback'],
  ['Claude Code', 'http://localhost:53211/callback'],
  ['Claude Code', 'http://127.0.0.1:61044/callback'],
  ['VS Code', 'http://127.0.0.1:33418/'],
  ['VS Code', 'http://127.0.0.1:50999/'],
  ['VS Code', 'https://vscode.dev/redirect'],
  ['Cursor', 'https://www.cursor.com/agents/mcp/oauth/callback'],
  ['Cursor', 'http://localhost:8787/callback'],
  ['Cursor', 'cursor://anysphere.cursor-mcp/oauth/callback'],
];

/**
 * Publishes a document at a path of this machine.
 * @returns the client id
 */
export function publish(
  host: WebServer,
  path: string,
  document: Readonly<Record<string, unknown>>,
  headers: Readonly<Record<string, string>> = { 'Cache-Control': 'max-age=600' },
): string {
  const clientId = `http://127.0.0.1:${host.port}${path}`;
  host.serve(path, { client_id: clientId, ...document }, headers);
  return clientId;
}
