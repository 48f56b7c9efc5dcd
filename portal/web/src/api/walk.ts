import type { Page } from './hooks';
import { unwrap, type Answer } from './problem';

/**
 * Reads a list page by page until enough is found or it ends. `more` says that
 * it was not read to its end.
 */
export async function walk<T>(
  read: (cursor: string) => Promise<Answer<Page<T>>>,
  { keep = () => true, enough, mostPages = 20 }: { keep?: (item: T) => boolean; enough: number; mostPages?: number },
): Promise<{ items: T[]; more: boolean }> {
  const items: T[] = [];
  let cursor = '';
  for (let n = 0; n < mostPages; n++) {
    // One page names the next.
    // oxlint-disable-next-line no-await-in-loop
    const page = await unwrap(read(cursor));
    items.push(...page.items.filter(keep));
    if (page.next_cursor === null) return { items, more: false };
    if (items.length >= enough) break;
    cursor = page.next_cursor;
  }
  return { items, more: true };
}
