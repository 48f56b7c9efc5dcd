import { useLoginWays } from '../api/login-ways';
import { site } from '../site';

export interface Brand {
  name: string;
  /** #rrggbb; empty: the platform's. */
  color: string;
  /** A URL; empty: none. */
  logo: string;
}

/** Whose name and mark a vendor's white-label host shows; undefined: the platform's. */
export function useBrand(): Brand | undefined {
  const ways = useLoginWays(site.name === 'vendors').data;
  if (ways?.branding === undefined) return undefined;
  const { name, color, logo_url: logo } = ways.branding;
  return { name: name || (ways.company_name ?? ''), color, logo };
}
