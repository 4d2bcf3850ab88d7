/** The names of headers with the product's brand, such as `X-Bwp-Api-Token`. */
export function brandHeaders(brand: string) {
  const name = brand.charAt(0).toUpperCase() + brand.slice(1);
  return {
    token: `X-${name}-Api-Token`,
    space: `X-${name}-Space`,
    tenant: `X-${name}-Tenant`,
  };
}
