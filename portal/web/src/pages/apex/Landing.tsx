import { Anchor, Box, Button, Container, Group, SimpleGrid, Stack, Text, TextInput, Title } from '@mantine/core';
import { useEffect, useState, type FormEvent } from 'react';
import { Link, useLocation } from 'react-router';

import { Logo } from '../../app/Logo';
import { SchemeSwitch } from '../../app/SchemeSwitch';
import { usePageTitle } from '../../parts/PageHeader';
import { hostURL } from '../../site';
import { text as common } from '../../text/en';
import { apexText as text } from '../../text/en-apex';
import { FlowPicture } from './FlowPicture';
import { Plans } from './Plans';

/** What the platform is, for who comes to its own host. */
export default function Landing() {
  usePageTitle(text.hero.pageTitle);
  const { hash } = useLocation();
  // The browser looked for the place before the page was there.
  useEffect(() => document.getElementById(hash.slice(1))?.scrollIntoView(), [hash]);
  return (
    <>
      <a className="skip-link" href="#main">{common.shell.skip}</a>
      <Header />
      <main id="main">
        <Container size="lg" py={{ base: 40, sm: 72 }}>
          <Stack gap={64}>
            <Hero />
            <Stack component="section" gap="lg" aria-labelledby="flow">
              <Title order={2} id="flow">{text.flow.title}</Title>
              <FlowPicture />
              <SimpleGrid cols={{ base: 1, sm: 3 }}>
                {text.facts.map((fact) => (
                  <Stack key={fact.title} className="card" p="md" gap={4}>
                    <Title order={3}>{fact.title}</Title>
                    <Text size="sm" c="dimmed">{fact.text}</Text>
                  </Stack>
                ))}
              </SimpleGrid>
            </Stack>
            <Plans />
            <FindTenant />
          </Stack>
        </Container>
      </main>
    </>
  );
}

function Header() {
  return (
    <Box component="header" style={{ borderBottom: '1px solid var(--mantine-color-default-border)', background: 'var(--portal-card)' }}>
      <Container size="lg">
        <Group h={56} justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap"><Logo /><Text fw={600} visibleFrom="xs">{common.product}</Text></Group>
          <Group component="nav" aria-label={text.nav.label} gap="md" wrap="nowrap">
            <Anchor href="#plans" size="sm" c="var(--mantine-color-text)" visibleFrom="sm">{text.nav.plans}</Anchor>
            <Anchor href={hostURL('vendors')} size="sm" c="var(--mantine-color-text)" visibleFrom="sm">{text.nav.vendors}</Anchor>
            <Anchor href="/openapi.yaml" size="sm" c="var(--mantine-color-text)" visibleFrom="sm">{text.nav.api}</Anchor>
            <Anchor href="#login" size="sm" c="var(--mantine-color-text)">{text.nav.login}</Anchor>
            <Button component={Link} to="/signup" size="xs">{text.nav.signUp}</Button>
            <SchemeSwitch />
          </Group>
        </Group>
      </Container>
    </Box>
  );
}

function Hero() {
  return (
    <Stack gap="md" maw={720}>
      <Title order={1} fz={{ base: '1.75rem', sm: '2.25rem' }} lh={1.2} style={{ textWrap: 'balance' }}>{text.hero.title}</Title>
      <Text size="lg" c="dimmed">{text.hero.text}</Text>
      <Group gap="sm">
        <Button component={Link} to="/signup" size="md">{text.hero.signUp}</Button>
        <Button component="a" href={hostURL('vendors', '/signup')} size="md" variant="default">{text.hero.vendor}</Button>
      </Group>
    </Stack>
  );
}

function FindTenant() {
  const [id, setId] = useState('');
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    window.location.assign(hostURL(id.trim().toLowerCase(), '/login'));
  };
  return (
    <Stack component="section" id="login" gap="sm" aria-labelledby="find">
      <Title order={2} id="find">{text.find.title}</Title>
      <form onSubmit={submit}>
        <Group align="flex-end" gap="xs">
          <TextInput label={text.find.label} description={text.find.hint(hostURL('‹ID›', ''))} required withAsterisk={false} pattern="\s*[A-Za-z]([A-Za-z0-9\-]*[A-Za-z0-9])?\s*" autoCapitalize="none" spellCheck={false} w={280} value={id} onChange={(e) => setId(e.currentTarget.value)} />
          <Button type="submit" variant="default">{text.find.submit}</Button>
        </Group>
      </form>
      <Anchor href={hostURL('vendors', '/login')} size="sm">{text.find.vendors}</Anchor>
    </Stack>
  );
}
