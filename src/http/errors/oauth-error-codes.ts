/** An error code of OAuth: the endpoints that answer it, its meaning, and advice for the client's developer. */
export interface OAuthErrorFacts {
  readonly where: string;
  readonly title: string;
  readonly advice: string;
}

/** Error codes of the OAuth endpoints, in the order of the RFCs that define them. */
export const OAUTH_ERROR_CODES: Readonly<Record<string, OAuthErrorFacts>> = {
  // RFC 6749 §4.1.2.1, §5.2
  invalid_request: {
    where: '400, 405, 413, 415 · every endpoint',
    title: 'The request is malformed',
    advice:
      'A parameter is missing, repeated, too long or contradictory, or the body is not of the type that the endpoint reads. PKCE with S256 is required from every client. error_description names the fault. Repeating the request unchanged will not help.',
  },
  invalid_client: {
    where: '401 · token, revoke, introspect, par, device; page of authorize',
    title: 'The client is unknown, or its authentication failed',
    advice:
      'Check the client id, the secret or assertion, and that it is sent in one way only. If the client is unknown, it was removed or is blocked: discard its id, and register again.',
  },
  invalid_grant: {
    where: '400 · token',
    title: 'The code or token cannot be used',
    advice:
      'The code, refresh token, device code or key has expired, was used or revoked, belongs to another client, redirect URI, verifier or DPoP key, or its user has left the organization. Discard it, and start a new authorization. Do not retry.',
  },
  unauthorized_client: {
    where: '400 · token, device; response of authorize',
    title: 'The client may not use this grant',
    advice: 'Register the client with the grant type in grant_types.',
  },
  unsupported_grant_type: {
    where: '400 · token',
    title: 'The grant type is not supported',
    advice: 'grant_types_supported in the metadata of this server lists the supported ones.',
  },
  invalid_scope: {
    where: '400 · token, par, device; response of authorize',
    title: 'A scope cannot be given',
    advice:
      'The scope does not exist, was not registered by the client, exceeds the grant or the key, or is not taken by the requested resource. scopes_supported in the metadata and GET /api/v1/scopes list all scopes.',
  },
  unsupported_response_type: {
    where: 'response of authorize; 400 · par',
    title: 'The response type is not supported',
    advice: 'Use response_type=code.',
  },
  access_denied: {
    where: 'response of authorize; 400 · token',
    title: 'Access was denied',
    advice:
      'The user denied it, or their role allows none of the requested scopes. Tell the user, and ask again only when they start it.',
  },
  server_error: {
    where: '500 · every endpoint',
    title: 'Internal error',
    advice:
      'The error is internal and was logged. Try again once. If it happens again, report the X-Request-Id of the answer.',
  },
  temporarily_unavailable: {
    where: '429, 503 · every endpoint',
    title: 'Try again later',
    advice:
      'Too many requests were made (429), or the database is away or the organization is suspended (503). Nothing was consumed: keep codes and tokens, and repeat the request after Retry-After seconds.',
  },
  // OpenID Connect Core §3.1.2.6
  login_required: {
    where: 'response of authorize with prompt=none',
    title: 'The user has to sign in',
    advice: 'Start an authorization without prompt=none.',
  },
  consent_required: {
    where: 'response of authorize with prompt=none',
    title: 'The user has to consent',
    advice: 'Start an authorization without prompt=none.',
  },
  interaction_required: {
    where: 'response of authorize with prompt=none',
    title: 'The user has to answer a page',
    advice: 'Start an authorization without prompt=none.',
  },
  account_selection_required: {
    where: 'response of authorize with prompt=none',
    title: 'The user has to choose an account',
    advice: 'Start an authorization without prompt=none.',
  },
  request_not_supported: {
    where: 'response of authorize; 400 · par',
    title: 'Request objects are not supported',
    advice: 'Send the parameters themselves, or push them (RFC 9126).',
  },
  request_uri_not_supported: {
    where: 'response of authorize',
    title: 'Request URIs of clients are not supported',
    advice: 'Only a request_uri that the par endpoint gave can be used (RFC 9126).',
  },
  registration_not_supported: {
    where: 'response of authorize',
    title: 'The parameter registration is not supported',
    advice: 'Register the client at the registration endpoint (RFC 7591).',
  },
  unsupported_response_mode: {
    where: 'response of authorize; 400 · par',
    title: 'The response mode is not supported',
    advice: 'Use response_mode=query, or leave it out.',
  },
  // RFC 6750 §3.1
  invalid_token: {
    where: '401 · userinfo, introspect, management of a registration',
    title: 'The access token is wrong',
    advice:
      'The token is missing, malformed, expired, revoked or of another audience. Refresh it once. If that fails, start a new authorization.',
  },
  insufficient_scope: {
    where: '403 · userinfo, introspect, management of a registration',
    title: 'The credential does not allow this',
    advice:
      'The scope parameter of WWW-Authenticate names the needed scopes. Registrations of public clients can be read and not changed: register again instead.',
  },
  // RFC 7591 §3.2.2
  invalid_redirect_uri: {
    where: '400 · register; page of authorize',
    title: 'A redirect URI cannot be used',
    advice:
      'Use https with a public name, http on a loopback address, or a private-use scheme, without a fragment or credentials. At authorize the URI must equal a registered one; only the port of a loopback address may differ.',
  },
  invalid_client_metadata: {
    where: '400 · register',
    title: 'The metadata of the client are not valid',
    advice: 'error_description names the member and the fault.',
  },
  // RFC 8628 §3.5
  authorization_pending: {
    where: '400 · token, device grant',
    title: 'The user has not decided yet',
    advice: 'Ask again after interval seconds, until the device code expires.',
  },
  slow_down: {
    where: '400 · token, device grant',
    title: 'The client asks too often',
    advice: 'Add 5 seconds to the interval, and continue.',
  },
  expired_token: {
    where: '400 · token, device grant',
    title: 'The device code has expired',
    advice: 'Ask the user to start again with a new code.',
  },
  // RFC 8707 §2
  invalid_target: {
    where: '400 · token, par, device; response of authorize',
    title: 'The resource cannot be used',
    advice:
      'The resource is unknown, does not admit the client, or was not granted. Use the resource of the protected resource metadata (RFC 9728).',
  },
  // RFC 9126, RFC 9101 §7
  invalid_request_uri: {
    where: 'page of authorize',
    title: 'The pushed request cannot be used',
    advice:
      'A request_uri is valid for 60 seconds, once, and for the client that pushed it. Push the request again.',
  },
  // RFC 9449 §5, §8
  invalid_dpop_proof: {
    where: '400 · token; 401 · userinfo',
    title: 'The DPoP proof is not valid',
    advice:
      'Make a new proof for each request, with the method and URL of the endpoint, the current time and a jti that was not used before.',
  },
  use_dpop_nonce: {
    where: '400 · token; 401 · userinfo',
    title: 'The DPoP proof needs a nonce',
    advice: 'Repeat the request with a new proof that has the nonce of the header DPoP-Nonce.',
  },
};
