import { Button } from '@mantine/core';
import { Link } from 'react-router';

import { text } from '../../text/en';
import { OpenPage } from './OpenPage';

export default function NotFound() {
  return (
    <OpenPage title={text.notFound.title} description={text.notFound.text}>
      <Button component={Link} to="/" variant="default">{text.notFound.home}</Button>
    </OpenPage>
  );
}
