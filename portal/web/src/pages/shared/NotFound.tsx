import { Button } from '@mantine/core';
import { Link } from 'react-router';

import { useSession } from '../../api/session';
import { PageHeader } from '../../parts/PageHeader';
import { text } from '../../text/en';
import { OpenPage } from './OpenPage';

/** An address that is no page: inside the shell for who is logged in. */
export default function NotFound() {
  const home = <Button component={Link} to="/" variant="default">{text.notFound.home}</Button>;
  const session = useSession().data;
  if (session !== null && session !== undefined) {
    return (
      <>
        <PageHeader title={text.notFound.title} description={text.notFound.text} />
        {home}
      </>
    );
  }
  return <OpenPage title={text.notFound.title} description={text.notFound.text}>{home}</OpenPage>;
}
