import { CopyIcon } from '../../parts/CopyIcon';
import { site } from '../../site';
import { tenantText } from '../../text/en-tenant';

const text = tenantText.licenses;

/** What a list of licenses says as long as no vendor has provisioned any. */
export const noLicenses = {
  title: text.emptyTitle,
  text: <>{text.emptyText} <strong className="mono">{site.tenant}</strong> <CopyIcon value={site.tenant} label={text.copyTenant} /></>,
};
