// Server-Sent Events by fetch. The browser's EventSource keeps the comments to
// itself by which the server says every 10 s that the stream is there, gives up
// for good on a 503, and forgets the last id when it is made anew.

export interface StreamEvent {
  id: string;
  type: string;
  data: string;
}

/** Cuts a stream into events; a comment is an event without type. */
export class EventParser {
  private rest = '';
  private id = '';
  private type = '';
  private data: string[] = [];
  retryMillis: number | undefined;

  push(chunk: string): StreamEvent[] {
    const lines = (this.rest + chunk).split(/\r?\n/);
    this.rest = lines.pop() ?? '';
    return lines.flatMap((line) => this.line(line));
  }

  private line(line: string): StreamEvent[] {
    if (line === '') {
      const event = { id: this.id, type: this.type, data: this.data.join('\n') };
      this.id = '';
      this.type = '';
      this.data = [];
      return event.type === '' ? [] : [event];
    }
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'id') this.id = value;
    else if (name === 'event') this.type = value;
    else if (name === 'data') this.data.push(value);
    else if (name === 'retry' && /^\d+$/.test(value)) this.retryMillis = Number(value);
    return [];
  }
}

export type StreamState = 'connecting' | 'live' | 'reconnecting' | 'offline' | 'ended';

/** The server comments every 10 s; after this long without a byte it is gone. */
const silenceMillis = 25_000;
const maxWaitMillis = 15_000;
/** From this many failures in a row on it is no hiccup. */
const offlineAfter = 3;

export interface StreamHandlers {
  onEvent: (event: StreamEvent) => void;
  onState: (state: StreamState) => void;
}

/** Keeps a stream open until the returned function is called. */
export function openStream(url: string, { onEvent, onState }: StreamHandlers): () => void {
  const stopped = new AbortController();
  let lastId = '';
  let waitMillis = 1_000;

  // Resolves when the stream ends; true: it had begun.
  const once = async (): Promise<boolean> => {
    const attempt = new AbortController();
    const stop = (): void => attempt.abort();
    stopped.signal.addEventListener('abort', stop);
    let watchdog = setTimeout(stop, silenceMillis);
    let began = false;
    try {
      const headers: Record<string, string> = { Accept: 'text/event-stream' };
      if (lastId !== '') headers['Last-Event-ID'] = lastId;
      const response = await fetch(url, { headers, cache: 'no-store', signal: attempt.signal });
      if (response.status === 401 || response.status === 403) {
        onState('ended');
        stopped.abort();
        return false;
      }
      if (!response.ok || response.body === null) return false;
      began = true;
      const parser = new EventParser();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        // oxlint-disable-next-line no-await-in-loop -- a stream is read in order
        const { done, value } = await reader.read();
        if (done) return began;
        clearTimeout(watchdog);
        watchdog = setTimeout(stop, silenceMillis);
        for (const event of parser.push(value)) {
          if (event.id !== '') lastId = event.id;
          if (event.type === 'ready') onState('live');
          onEvent(event);
        }
        waitMillis = parser.retryMillis ?? waitMillis;
      }
    } catch {
      return began; // the connection broke, or was silent for too long
    } finally {
      clearTimeout(watchdog);
      stopped.signal.removeEventListener('abort', stop);
    }
  };

  const run = async (): Promise<void> => {
    let failures = 0;
    onState('connecting');
    while (!stopped.signal.aborted) {
      // oxlint-disable-next-line no-await-in-loop -- one connection at a time
      failures = (await once()) ? 0 : failures + 1;
      if (stopped.signal.aborted) return;
      onState(failures >= offlineAfter ? 'offline' : 'reconnecting');
      const wait = Math.min(waitMillis * 2 ** Math.min(failures, 5), maxWaitMillis);
      // oxlint-disable-next-line no-await-in-loop -- waits before the next one
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  };
  void run();
  return () => stopped.abort();
}
