import { Anchor, Button, Fieldset, SimpleGrid, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { Link } from 'react-router';

import { api, type Schemas } from '../../api/client';
import { useWrite } from '../../api/hooks';
import { bindTo, FormProblem } from '../../parts/form';
import { text as common } from '../../text/en';
import { apexText as text } from '../../text/en-apex';
import { OpenPage } from '../shared/OpenPage';
import { rememberVendor } from '../shared/vendor-id';
import { CompanyFields, companyOf, companyPointers, emptyCompany, idOf, withDomain, type CompanyValues } from '../signup/CompanyFields';
import { tokenOf, usePending, type Pending } from '../signup/pending';
import { VerifyDomain } from '../signup/VerifyDomain';

interface Values extends CompanyValues {
  vendor: Required<Schemas['VendorRegistration']['vendor']>;
}

/** A vendor signs up, as a customer does on the platform's own host. */
export default function SignUp() {
  const [pending, setPending] = usePending();
  if (pending === null) return <Register onRegistered={setPending} />;
  return (
    <VerifyDomain
      pending={pending}
      onAgain={() => setPending(null)}
      verify={(p, signal) => api.POST('/api/v1/vendors/verify', { body: { vendor_id: p.id, verification_token: tokenOf(p.recordValue) }, signal })}
    />
  );
}

function vendorOf({ license_prefix, ...vendor }: Values['vendor']): Schemas['VendorRegistration']['vendor'] {
  return license_prefix === '' ? vendor : { ...vendor, license_prefix };
}

function Register({ onRegistered }: { onRegistered: (pending: Pending) => void }) {
  const form = useForm<Values>({ transformValues: withDomain, initialValues: { ...emptyCompany, vendor: { id: '', region: 'eu-central', license_prefix: '' } } });
  const register = useWrite(
    ({ company, vendor, admin }: Values) => api.POST('/api/v1/vendors/register', { body: { company: companyOf(company), vendor: vendorOf(vendor), admin } }),
    {
      failed: 'self',
      open: true,
      onSuccess: ({ vendor_id, verification: { dns_record } }, { company, admin }) => {
        rememberVendor(vendor_id);
        onRegistered({ id: vendor_id, domain: company.domain, email: admin.email, recordName: dns_record.name, recordValue: dns_record.value });
      },
    },
  );
  const { error } = register;
  const bind = bindTo(form, error);
  const { vendor } = form.values;
  form.watch('company.domain', ({ value, previousValue }) => {
    if (form.getValues().vendor.id === idOf(previousValue)) form.setFieldValue('vendor.id', idOf(value));
  });
  const prefix = vendor.license_prefix || (vendor.id.split('-')[0] ?? '') || '…';
  return (
    <OpenPage width={680} title={text.signUp.vendorTitle} description={text.signUp.vendorDescription}>
      <form onSubmit={form.onSubmit((values) => register.mutate(values))}>
        <Stack gap="md">
          <CompanyFields bind={bind}>
            <Fieldset legend={text.signUp.vendor}>
              <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="md">
                <TextInput label={text.signUp.vendorId} description={text.signUp.vendorIdHint} inputWrapperOrder={['label', 'input', 'description', 'error']} required withAsterisk={false} autoCapitalize="none" spellCheck={false} maxLength={50} {...bind('vendor.id')} />
                <TextInput label={text.signUp.region} description={text.signUp.regionHint} inputWrapperOrder={['label', 'input', 'description', 'error']} required withAsterisk={false} {...bind('vendor.region')} />
                <TextInput label={text.signUp.prefix} description={text.signUp.prefixHint(prefix)} inputWrapperOrder={['label', 'input', 'description', 'error']} autoCapitalize="none" spellCheck={false} maxLength={30} {...bind('vendor.license_prefix')} />
              </SimpleGrid>
            </Fieldset>
          </CompanyFields>
          <FormProblem error={error} shown={[...companyPointers, 'vendor/id', 'vendor/region', 'vendor/license_prefix']} />
          <Button type="submit" size="md" loading={register.isPending}>{text.signUp.submit}</Button>
          <Text size="sm" c="dimmed" ta="center">{text.signUp.haveAccount} <Anchor component={Link} to="/login" underline="always">{common.login.submit}</Anchor></Text>
        </Stack>
      </form>
    </OpenPage>
  );
}
