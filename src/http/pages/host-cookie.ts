/**
 * Name and options of a cookie that belongs to the whole host, and that no script reads.
 *
 * @param issuer with https the name has the `__Host-` prefix, so that no other host of the domain can plant the cookie
 *   (RFC 6265bis §4.1.3)
 * @param suffix the end of the name
 */
export function hostCookie(issuer: string, suffix: string) {
  const isSecure = issuer.startsWith('https://');
  return {
    name: `${isSecure ? '__Host-' : ''}gatehouse_${suffix}`,
    options: {
      httpOnly: true,
      overwrite: true,
      path: '/',
      // Sent also when another site leads here: a mail, or a provider after a sign-in.
      sameSite: 'lax',
      secure: isSecure,
      signed: false,
    },
  } as const;
}
