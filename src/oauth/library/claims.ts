/** The claims of an account (OpenID Connect Core §5.1). */
export function claimsOf(account: {
  id: string;
  email: string;
  name: string | null;
  isEmailVerified: boolean;
}) {
  return {
    sub: account.id,
    email: account.email,
    email_verified: account.isEmailVerified,
    ...(account.name !== null && { name: account.name }),
  };
}
