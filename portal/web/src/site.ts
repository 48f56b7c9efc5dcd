// Which portal this is. The server fills the attributes of <html> by the host
// that was asked; vite's own server leaves them empty, and the host is read here.

export type SiteName = 'apex' | 'tenant' | 'vendors' | 'admin' | 'unknown';

export interface Site {
  name: SiteName;
  tenant: string;
  domain: string;
}

const names: ReadonlySet<string> = new Set<SiteName>(['apex', 'tenant', 'vendors', 'admin', 'unknown']);

function isSiteName(name: string): name is SiteName {
  return names.has(name);
}

/** Reads the site from data attributes, or from a host name below localhost. */
export function readSite(data: DOMStringMap, host: string): Site {
  const { site = '', tenant = '', domain = '' } = data;
  if (isSiteName(site)) {
    return { name: site, tenant, domain };
  }
  const [first = '', ...rest] = host.split('.');
  if (rest.length === 0) {
    return { name: 'apex', tenant: '', domain: host };
  }
  if (/^[\d.]+$/.test(host)) {
    return { name: 'admin', tenant: '', domain: '' };
  }
  if (first === 'vendors') {
    return { name: 'vendors', tenant: '', domain: rest.join('.') };
  }
  return { name: 'tenant', tenant: first, domain: rest.join('.') };
}

export const site = readSite(document.documentElement.dataset, window.location.hostname);

/** The URL of another host of the platform, as this page was reached. */
export function hostURL(name: string, path = '/'): string {
  const port = window.location.port === '' ? '' : `:${window.location.port}`;
  const host = name === '' ? site.domain : `${name}.${site.domain}`;
  return `${window.location.protocol}//${host}${port}${path}`;
}
