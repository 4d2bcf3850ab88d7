import type { JsonSchema } from './json-schema.js';

/** Form parameters of an OAuth endpoint, required ones first. */
interface FormParameters {
  readonly required: readonly string[];
  readonly optional: readonly string[];
}

/** How clients authenticate (RFC 6749 §2.3, RFC 7521 §4.2). */
const CLIENT = ['client_id', 'client_secret', 'client_assertion', 'client_assertion_type'];

/** Form parameters by the last segment of the endpoint's path, as the RFCs name them. */
const FORMS: Readonly<Record<string, FormParameters>> = {
  token: {
    required: ['grant_type'],
    optional: [
      'code',
      'redirect_uri',
      'code_verifier',
      'refresh_token',
      'device_code',
      'scope',
      'resource',
      'subject_token',
      'subject_token_type',
      'requested_token_type',
      'audience',
      ...CLIENT,
    ],
  },
  revoke: { required: ['token'], optional: ['token_type_hint', ...CLIENT] },
  introspect: { required: ['token'], optional: ['token_type_hint', 'address', ...CLIENT] },
  par: {
    required: ['response_type', 'redirect_uri', 'code_challenge', 'code_challenge_method'],
    optional: ['scope', 'state', 'resource', 'prompt', 'nonce', 'max_age', 'login_hint', ...CLIENT],
  },
  device: { required: [], optional: ['scope', 'resource', ...CLIENT] },
};

/** The schema of the form that an OAuth endpoint reads; `undefined` if it reads none. */
export function formSchema(path: string): JsonSchema | undefined {
  const form = FORMS[path.split('/').at(-1) ?? ''];
  if (form === undefined) return undefined;
  const names = [...form.required, ...form.optional];
  return {
    type: 'object',
    properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
    ...(form.required.length > 0 && { required: form.required }),
  };
}
