import { site } from '../../site';

// On the vendors' host people say whose they are; the browser keeps it for the
// next log-in. On a white-label host the host says it.
const key = 'cloudlicenses.vendor';

/** Whether a form has to ask for the vendor. */
export const asksVendor = site.name === 'vendors' && window.location.hostname === `vendors.${site.domain}`;

export function rememberedVendor(): string {
  return localStorage.getItem(key) ?? '';
}

export function rememberVendor(id: string): void {
  if (asksVendor) localStorage.setItem(key, id);
}

/** The member of a request's body; none where the host says it. */
export function vendorMember(id: string): { vendor_id?: string } {
  return asksVendor ? { vendor_id: id.trim() } : {};
}
