/** For whatever is not about limits. */
export const NO_LIMITS = {
  RATE_LIMIT_TENANT_PER_HOUR: '0',
  RATE_LIMIT_KEY_PER_MINUTE: '0',
  RATE_LIMIT_AUTHORIZE_PER_MINUTE: '0',
};
