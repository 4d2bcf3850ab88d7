/** What an id_token can say of an account (OpenID Connect Core §5.1). */
export function claimsOf(account: { id: string; email: string; name: string | null }) {
  return {
    sub: account.id,
    email: account.email,
    ...(account.name !== null && { name: account.name }),
  };
}
