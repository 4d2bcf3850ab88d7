/** What is kept of a client's registration (RFC 7591 §2), under the names of the RFC. */
export interface ClientMetadata {
  readonly client_name: string;
  /** Loopback redirects of public clients are kept without their port. */
  readonly redirect_uris: readonly string[];
  readonly grant_types: readonly string[];
  readonly response_types: readonly string[];
  readonly token_endpoint_auth_method: 'none' | 'client_secret_basic' | 'client_secret_post';
  readonly application_type: 'web' | 'native';
  /** In the catalogue's order; absent if the client may ask for anything. */
  readonly scope?: string;
  readonly contacts?: readonly string[];
  readonly client_uri?: string;
  readonly logo_uri?: string;
  readonly software_id?: string;
  readonly software_version?: string;
}
